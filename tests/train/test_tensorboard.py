"""S23: event files as TensorBoard reads them, read back byte by byte."""

import struct
from functools import partial

import numpy as np
import pytest

from fastdl import nn, optim, train
from fastdl.train.tensorboard import _checksum


def crc32c(content):
    """Return the CRC-32C, bit by bit from its definition (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def records(content):
    """Yield the events of a file; lengths and contents must fit their checksums."""
    place = 0

    def take(count):
        nonlocal place
        part, place = content[place : place + count], place + count
        (checksum,) = struct.unpack("<I", content[place : place + 4])
        place += 4
        rotated = (checksum - 0xA282EAD8) & 0xFFFFFFFF
        assert (rotated << 15 | rotated >> 17) & 0xFFFFFFFF == crc32c(part)
        return part

    while place < len(content):
        yield take(*struct.unpack("<Q", take(8)))


def fields(message):
    """Return {number: value} of a message of Protocol Buffers."""
    found, place = {}, 0

    def varint():
        nonlocal place
        number = shift = 0
        while True:
            byte, place = message[place], place + 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    while place < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            found[number] = varint()
            continue
        count = {1: 8, 5: 4}[kind] if kind != 2 else varint()
        value, place = message[place : place + count], place + count
        form = {1: "<d", 2: f"{count}s", 5: "<f"}[kind]
        (found[number],) = struct.unpack(form, value)
    return found


def test_checksum_of_the_standard():
    """The CRC-32C of "123456789" is e3069283."""
    assert crc32c(b"123456789") == 0xE3069283
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
    assert _checksum(b"123456789") == (rotated + 0xA282EAD8) & 0xFFFFFFFF


def test_every_column_is_a_curve(tmp_path):
    """S23: 150 epochs, whose numbers need two bytes."""
    x, y = np.eye(2, dtype=np.float32), np.arange(2)
    one = train.Trainer(nn.Linear(2, 2), optimizer=partial(optim.SGD, lr=0.1))
    one.fit((x, y), epochs=150, callbacks=[train.TensorBoardLog(tmp_path / "new")])
    (path,) = (tmp_path / "new").iterdir()
    assert path.name.startswith("events.out.tfevents.")
    first, *events = map(fields, records(path.read_bytes()))
    assert first[3] == b"brain.Event:2"
    assert first[1] <= events[-1][1]  # seconds since 1970
    assert events[0][1] == pytest.approx(path.stat().st_mtime, abs=60)
    curves = {}
    for event in events:
        value = fields(fields(event[5])[1])
        curves.setdefault(value[1].decode(), {})[event[2]] = value[2]
    assert list(curves) == one.history.columns[1:]
    for name, curve in curves.items():
        assert list(curve) == one.history["epoch"]
        np.testing.assert_array_equal(
            list(curve.values()), np.float32(one.history[name])
        )


def test_again_makes_another_file(tmp_path):
    one = train.Trainer(nn.Linear(2, 2))
    for _ in range(2):
        data = np.eye(2, dtype=np.float32), np.arange(2)
        one.fit(data, callbacks=[train.TensorBoardLog(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 2
