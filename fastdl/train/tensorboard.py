"""Curves for TensorBoard, in its own file format.

A file is a sequence of records: the length (uint64), its checksum (uint32), that many
bytes, their checksum; all little-endian. The bytes of a record are one ``Event`` in the
wire format of Protocol Buffers. Source: ``tensorflow/core/lib/io/record_writer.h``,
``event.proto`` and ``summary.proto`` of TensorFlow.
"""

from __future__ import annotations

import struct
import time
from functools import cache
from typing import TYPE_CHECKING

from fastdl.files import as_path, new_file
from fastdl.train.callback import Callback
from fastdl.typing import StrPath

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


class TensorBoardLog(Callback):
    """Writes each column of ``trainer.history`` as a curve for TensorBoard.

    Every ``fit`` starts a new file; TensorBoard shows the files of a folder as one run.

    Parameters
    ----------
    folder : path
        What ``tensorboard --logdir`` reads; made if it is missing.
    """

    first_rank_only = True

    def __init__(self, folder: StrPath) -> None:
        self.folder = as_path(folder)

    def decides(self) -> None:
        """Nothing: it only watches."""

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Open the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.fastdl"
        self._file = new_file(self.folder / name)
        self._write(_text(3, b"brain.Event:2"))

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Write the epoch."""
        for name, value in row.items():
            if name != "epoch":
                curve = _text(1, name.encode()) + b"\x15" + struct.pack("<f", value)
                step = b"\x10" + _varint(int(row["epoch"]))
                self._write(step + _text(5, _text(1, curve)))
        self._file.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        """Write an event with the present time as a record."""
        event = b"\x09" + struct.pack("<d", time.time()) + event
        for part in (struct.pack("<Q", len(event)), event):
            self._file.write(part + struct.pack("<I", _checksum(part)))


# A field starts with 8 * number + kind; the kinds are 0: a varint (0x10 for field 2),
# 1: eight bytes (0x09 for field 1), 2: a length and bytes, 5: four bytes (0x15, 2).


def _text(field: int, content: bytes) -> bytes:
    return bytes([8 * field + 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Return 7 bits a byte, the lowest first; the eighth says that more follow."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def _checksum(content: bytes) -> int:
    """Return the CRC-32C, rotated and offset as the records need it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _crc_table()[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _crc_table() -> list[int]:
    """Return the remainder for each byte (Castagnoli's polynomial, reflected)."""
    table = list(range(256))
    for _ in range(8):
        table = [crc >> 1 ^ (0x82F63B78 if crc & 1 else 0) for crc in table]
    return table
