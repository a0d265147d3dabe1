"""Seeded mutants of every format: a FastdlError or an answer, in little memory."""

import gzip
import io
import json
import random
import resource
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

import fastdl
from fastdl import nn
from fastdl.datasets import cifar10
from fastdl.datasets.idx import read_idx
from fastdl.datasets.images import read_image
from fastdl.datasets.npz import read_npz
from fastdl.errors import FastdlError
from fastdl.files import read_tensors, write_tensors
from fastdl.train import open_run

STATM = Path("/proc/self/statm")
MEMORY = 256 * 2**20  # bytes that all readers together may take
HOSTILE = [
    b"0", b"-1", b"2", b"1e999", b"NaN", b"null", b"true", b'""', b"[]", b"{}",
    b"4294967296", b"9223372036854775808", b"1" * 400, b"1" * 5000, b"[" * 2000,
    b'{"class":', b'"Linear"', b'"\\ud800"', b"1" * 11, b"\0", b"\xff" * 8, b'"a":1,',
]  # fmt: skip


def mutant(content, rng):
    """Return the content with one to three changes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        end = min(end, place + rng.choice((1, 4, 30, 400)))
        kind = rng.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[place:end] = rng.randbytes(end - place)
        elif kind == 2:
            del data[place:end]
        elif kind == 3:
            data[place:place] = data[place:end]
        elif kind == 4:
            data[place:end] = rng.choice(HOSTILE)
        elif kind == 5:
            data[place:place] = rng.choice(HOSTILE)
        else:
            del data[place:]
    return bytes(data)


def exchanged(value, rng):
    """Return JSON data in which one value, at any depth, is a hostile one."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(keys)
        copy = value.copy()
        if isinstance(copy, dict) and rng.random() < 0.1:
            copy[rng.choice(("class", "self", "x", "layers"))] = copy.pop(key)
        else:
            copy[key] = exchanged(value[key], rng)
        return copy
    return rng.choice(
        [0, -1, 1, 2**31 - 1, 2**32, 2**63, 10**11, 10**400, 1e308, float("nan"),
         float("inf"), None, True, "", "a", "Linear", "same", [], [1], [1, 2], [[1, 2]],
         {}, {"class": "ReLU"}, {"class": "Linear", "in_features": 10**6,
         "out_features": 10**6}, {"class": "Sequential", "layers": []}]
    )  # fmt: skip


def small_model():
    return nn.Sequential(
        nn.Standardize(2),
        nn.Conv2d(2, 3, (3, 2), padding=((1, 0), (2, 1)), dilation=2),
        nn.BatchNorm2d(3),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2, stride=1),
        nn.Dropout(0.3),
        nn.GroupNorm(1, 3),
        nn.GlobalAvgPool2d(),
        nn.Linear(3, 4, weight_init="orthogonal"),
        nn.LayerNorm(4),
    )


def archive_of_pictures():
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for part in ("train", "test"):
                for name in cifar10._CLASSES:
                    picture = io.BytesIO()
                    Image.new("RGB", (32, 32), "red").save(picture, "JPEG")
                    member = tarfile.TarInfo(f"{part}/{name}/{'0' * 99}.jpg")
                    member.size = picture.tell()
                    picture.seek(0)
                    tar.addfile(member, picture)
        return file.getvalue()


class Formats:
    """For each format a file that is whole, and what reads it."""

    def __init__(self, folder):
        self.path = folder / "file"
        self.folder = folder
        self.model = small_model()
        fastdl.save(self.model, self.path)
        self.saved = self.path.read_bytes()
        self.config = nn.to_config(self.model)
        rng = np.random.default_rng(0)
        arrays = {}
        for part in ("train", "test"):
            arrays[f"x_{part}"] = rng.integers(0, 9, (3, 4, 4), np.uint8)
            arrays[f"y_{part}"] = np.arange(3)
        self.stored, self.deflated = io.BytesIO(), io.BytesIO()
        np.savez(self.stored, **arrays)
        np.savez_compressed(self.deflated, **arrays)
        self.idx = b"\0\0\10\3" + b"\0\0\0\3" * 3 + bytes(range(27))
        self.tar = archive_of_pictures()
        self.picture = io.BytesIO()
        Image.fromarray(rng.integers(0, 9, (9, 8, 3), np.uint8)).save(
            self.picture, "PNG"
        )

    def put(self, content):
        self.path.write_bytes(content)

    # Each method reads one mutant.

    def model_with_a_checksum(self, rng):
        self.put(mutant(self.saved, rng))
        fastdl.load(self.path)

    def model_of_another_program(self, rng):
        description = {"fastdl.model": json.dumps(self.config)}
        self.put(mutant(save(self.model.state_dict(), description), rng))
        fastdl.load(self.path)

    def description_of_a_model(self, rng):
        text = json.dumps(exchanged(self.config, rng))
        if rng.random() < 0.3:
            text = mutant(text.encode(), rng).decode(errors="replace")
        write_tensors(self.model.state_dict(), self.path, {"fastdl.model": text})
        fastdl.load(self.path)

    def header_of_tensors(self, rng):
        length = int.from_bytes(self.saved[:8], "little")
        header = json.loads(self.saved[8 : 8 + length])
        for key in ("fastdl.sha256", "fastdl.format"):
            del header["__metadata__"][key]
        text = json.dumps(exchanged(header, rng)).encode()
        self.put(len(text).to_bytes(8, "little") + text + self.saved[8 + length :])
        read_tensors(self.path)

    def weights(self, rng):
        self.put(mutant(save(self.model.state_dict()), rng))
        nn.load_weights(small_model(), self.path, strict=rng.random() < 0.5)

    def idx_inflated(self, rng):
        self.put(gzip.compress(mutant(self.idx, rng)))
        read_idx(self.path, axes=3)

    def idx_deflated(self, rng):
        self.put(mutant(gzip.compress(self.idx), rng))
        read_idx(self.path, axes=3)

    def npz_stored(self, rng):
        self.put(mutant(self.stored.getvalue(), rng))
        read_npz(self.path, (4, 4), classes=3)

    def npz_deflated(self, rng):
        self.put(mutant(self.deflated.getvalue(), rng))
        read_npz(self.path, (4, 4), classes=3)

    def tar_inflated(self, rng):
        self.put(gzip.compress(mutant(self.tar, rng), 1))
        cifar10.decode(self.path, "mutant")

    def tar_deflated(self, rng):
        self.put(mutant(gzip.compress(self.tar, 1), rng))
        cifar10.decode(self.path, "mutant")

    def picture_in_a_folder(self, rng):
        self.put(mutant(self.picture.getvalue(), rng))
        read_image(self.path)

    def config_of_a_run(self, rng):
        config = {"classes": ["a", "b"], "input_shape": [8, 8, 1]}
        content = mutant(json.dumps(exchanged(config, rng)).encode(), rng)
        (self.folder / "config.json").write_bytes(content)
        (self.folder / "model.safetensors").write_bytes(self.saved)
        open_run(self.folder)


@pytest.fixture(scope="module")
def formats(tmp_path_factory):
    return Formats(tmp_path_factory.mktemp("mutants"))


@pytest.fixture
def little_memory():
    """Let the process take so much more memory than it has now."""
    if not STATM.exists():  # not Linux: only the errors are looked at
        yield
        return
    now = int(STATM.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


READERS = [name for name in vars(Formats) if not name.startswith("_") and name != "put"]


@pytest.mark.filterwarnings("ignore::Warning")  # of Pillow, about metadata
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=pytest.mark.soak)])
def test_mutants(reader, count, formats, little_memory):
    outcomes = [outcome(getattr(formats, reader), seed) for seed in range(count)]
    strange = [(seed, error) for seed, error in enumerate(outcomes) if is_wrong(error)]
    assert not strange
    assert any(outcomes)


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
