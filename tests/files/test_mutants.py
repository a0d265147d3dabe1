"""Seeded mutants of every format: a FastdlError or an answer, in little memory."""

import json
import os
import random
import time

import pytest

from fastdl.errors import FastdlError
from tests.files.hostile import mutate
from tests.files.hostile.models import Models
from tests.files.hostile.pictures import Pictures
from tests.files.hostile.requests import Requests
from tests.files.hostile.texts import Texts

MEMORY = 256 * 2**20  # bytes that all readers together may take
SECONDS = 1.0  # of the processor, that a mutant may take
ROOMS = (Models, Pictures, Texts, Requests)
READERS = {
    name: room
    for room in ROOMS
    for name, method in vars(room).items()
    if callable(method) and method.__code__.co_varnames[:2] == ("self", "rng")
}
GUARDED = {name for room in ROOMS for name in room.guarded}  # by a checksum
NEVER_RAISE = {name for room in ROOMS for name in room.never_raise}
UNCHANGED = {
    **dict.fromkeys(("content", "tar", "png", "arrays"), lambda whole, rng: whole),
    **dict.fromkeys(("toml", "csv"), lambda text, rng: text.encode()),
    "json_text": lambda value, rng: json.dumps(value).encode(),
    "message": lambda message, rng: None,
}
# Their mutants take milliseconds each, so there are fewer of them.
SLOW = {reader for room in ROOMS for reader in room.slow}
FEWER = 1_000
MANY = -(-(200_000 - FEWER * len(SLOW)) // len(READERS.keys() - SLOW))


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Readers with their files, which need not reach the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        made = {}
        for room in ROOMS:
            made[room] = room(tmp_path_factory.mktemp(room.__name__))
        yield made


def test_most_mutants_are_seen_by_a_parser():
    """A checksum would hide from it what is changed behind the checksum's back."""
    assert READERS.keys() > GUARDED | SLOW
    assert len(GUARDED) < len(READERS) / 2
    assert FEWER * len(SLOW) + MANY * len(READERS.keys() - SLOW) >= 200_000


@pytest.mark.parametrize("reader", READERS)
def test_what_is_whole_is_read(reader, rooms, monkeypatch):
    """So a mutant is not refused for what all have in common."""
    for name, unchanged in UNCHANGED.items():
        monkeypatch.setattr(mutate, name, unchanged)
    for seed in range(4):
        getattr(rooms[READERS[reader]], reader)(random.Random(seed))


@pytest.mark.filterwarnings("ignore::Warning")  # of Pillow, about metadata
@pytest.mark.parametrize("reader", READERS)
def test_mutants(reader, rooms, limit_memory):
    limit_memory(MEMORY)
    survive(getattr(rooms[READERS[reader]], reader), 20, reader)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("reader", READERS)
def test_many_mutants(reader, rooms, limit_memory):
    """In all 200,000."""
    limit_memory(MEMORY)
    count = FEWER if reader in SLOW else MANY
    slowest = survive(getattr(rooms[READERS[reader]], reader), count, reader)
    assert slowest < SECONDS


def survive(read, count, reader):
    """Read so many mutants; return the most seconds of the processor that one took."""
    strange, refused, slowest = [], 0, 0.0
    for seed in range(count):
        start = time.process_time()
        error = outcome(read, seed)
        slowest = max(slowest, time.process_time() - start)
        refused += error is not None
        if is_wrong(error):
            strange.append((seed, error))
    assert not strange
    assert bool(refused) is (reader not in NEVER_RAISE)
    return slowest


def outcome(read, seed):
    """Return the error that a mutant raises, or None."""
    try:
        read(random.Random(seed))
    except Exception as error:
        return error
    return None


def is_wrong(error):
    """Whether it is no error of fastdl, or hides that the memory did not suffice."""
    if error is None:
        return False
    return not isinstance(error, FastdlError) or type(error.__cause__) is MemoryError
