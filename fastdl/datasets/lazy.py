"""Pictures in files, decoded when they are used, and then kept on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastdl.data.dataset import Batch, Gathered
from fastdl.datasets.images import other_size, read_image
from fastdl.errors import DataError
from fastdl.progress import progress_bar
from fastdl.shapes import rows
from fastdl.typing import StrPath

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CHECKSUM = 8  # bytes
_DECODING = "draft"  # other than before: what was kept then is decoded again


class PictureFiles(Gathered):
    """Pictures in files: a data set that may be larger than the memory.

    `take` decodes and resizes the pictures it is asked for, so in training that
    happens in the threads of the loader. Decoded pictures are kept in a file; from
    then on they are read from there. `image_folder` makes such data sets.

    The file has a slot for each picture, with a checksum over the pixels and over what
    they were made from: the name of the file, its length and its time. So a picture
    that changed is decoded again, and so is one that a process was writing when it was
    killed or the machine lost power. Several processes may use one file at a time:
    what they write into a slot is the same, or the checksum tells. They read it by
    position instead of mapping it into memory: if the disk is full or the file cut
    off, that is an error, which is handled, while it would kill a process that maps it.

    Parameters
    ----------
    files : sequence of path
        At least one.
    y : ndarray of int, (m,), optional
        Their labels; None for pictures to predict.
    shape : (int, int, int)
        Height, width and channels of each; 1 channel if all are grey, else 3.
    resize : bool
        Whether to resize the pictures to that height and width. Otherwise they must
        have it.
    cache : path, optional
        The file where decoded pictures are kept, to whose name the shape is added; by
        default none.

    Raises
    ------
    OSError
        A file is missing.
    """

    def __init__(
        self,
        files: Sequence[StrPath],
        y: np.ndarray | None,
        shape: tuple[int, int, int],
        resize: bool = True,
        cache: Path | None = None,
    ) -> None:
        self.files = [str(file) for file in files]
        self.shape, self.resize = shape, resize
        self._y = y
        self._changed = [
            (status.st_size, status.st_mtime_ns) for status in map(os.stat, self.files)
        ]
        self._slots: _Slots | None = None
        if cache is not None and hasattr(os, "preadv"):  # not on Windows
            name = f"{cache.name}-{'x'.join(map(str, shape))}"
            self._slots = _open_slots(cache.with_name(name), len(files), shape)

    @property
    def y(self) -> np.ndarray | None:
        """The labels, if there are any."""
        return self._y

    def __len__(self) -> int:
        return len(self.files)

    def take(self, indices: np.ndarray) -> Batch:
        """Return the pictures at `indices`, uint8 (n, h, w, c), and their labels.

        Raises
        ------
        DataError
            A picture cannot be read, or does not fit the others; the message names it.
        """
        indices = rows(indices, len(self), "PictureFiles")
        x = np.empty((len(indices), *self.shape), np.uint8)
        for picture, index in zip(x, indices.tolist(), strict=True):
            self._read(index, picture)
        return x, None if self._y is None else self._y[indices]

    def broken(self) -> dict[int, str]:
        """Decode all pictures; return which cannot be read, and why."""
        picture, found = np.empty(self.shape, np.uint8), {}
        for index in progress_bar(range(len(self)), "pictures", leave=False):
            try:
                self._read(index, picture)
            except DataError:
                try:
                    read_image(self.files[index])
                except DataError as error:
                    found[index] = str(error)
                else:  # it can be read, but has another size
                    raise
        return found

    def __repr__(self) -> str:
        return f"PictureFiles({len(self)} of {self.shape})"

    def _read(self, index: int, picture: np.ndarray) -> None:
        """Fill an array with a picture."""
        source = self._source(index)
        slots = self._slots
        if slots is not None and slots.read(index, picture, source):
            return
        file, shape = self.files[index], picture.shape
        pixels = read_image(file, shape[:2] if self.resize else None)
        if pixels.shape[:2] != shape[:2]:
            raise other_size(file, pixels.shape, shape)
        if pixels.shape[2] > shape[2]:
            raise DataError(f"{file} is in colour now, but was grey")
        picture[:] = pixels  # a grey picture among coloured ones fills all three
        if slots is not None:
            try:
                slots.write(index, picture, source)
            except OSError as why:
                self._slots = None
                _warn(slots.path, why)

    def _source(self, index: int) -> bytes:
        """Return what the pixels are made from."""
        name = os.path.join(*Path(self.files[index]).parts[-2:])
        return os.fsencode(f"{name} {self._changed[index]} {self.shape} {_DECODING}")


class _Slots:
    """The file of decoded pictures: pixels and checksum of each, one after the other.

    Parameters
    ----------
    path : Path
        The file; created if necessary.
    size : int
        Bytes of one picture.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._pixels = path, size
        self._size = size + _CHECKSUM
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        weakref.finalize(self, os.close, self._file)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise OSError("it is no regular file")

    def __reduce__(self) -> tuple[object, ...]:
        """Open the file again for a copy, which may live longer."""
        return _Slots, (self.path, self._pixels)

    def check_room(self, count: int) -> None:
        """Raise OSError unless the disk has room for so many pictures."""
        there = os.stat(self.path).st_blocks * 512
        missing = count * self._size - there
        if missing > shutil.disk_usage(self.path.parent).free:
            raise OSError(f"{self.path} would take {missing / 2**30:.1f} GB more")

    def read(self, index: int, picture: np.ndarray, source: bytes) -> bool:
        """Fill an array with a picture; return whether it was there."""
        checksum = bytearray(_CHECKSUM)
        buffers: list[Buffer] = [picture.reshape(-1).data, checksum]
        try:
            count = os.preadv(self._file, buffers, index * self._size)
        except OSError:  # `write`, which comes next, says what is wrong
            return False
        return count == self._size and checksum == _checksum(picture, source)

    def write(self, index: int, picture: np.ndarray, source: bytes) -> None:
        """Keep a picture."""
        buffers: list[Buffer] = [picture.reshape(-1).data, _checksum(picture, source)]
        os.pwritev(self._file, buffers, index * self._size)


def _open_slots(path: Path, count: int, shape: tuple[int, ...]) -> _Slots | None:
    """Return the file of decoded pictures; None, with a warning, if there can be none.

    Training goes on without it, only more slowly.
    """
    try:
        slots = _Slots(path, int(np.prod(shape)))
        slots.check_room(count)
    except OSError as why:
        _warn(path, why)
        return None
    return slots


def _checksum(picture: np.ndarray, source: bytes) -> bytes:
    digest = hashlib.blake2b(source, digest_size=_CHECKSUM)
    digest.update(picture.reshape(-1).data)  # without holding the GIL
    return digest.digest()


def _warn(path: Path, why: OSError) -> None:
    warnings.warn(
        f"decoded pictures cannot be kept in {path}, so each is decoded whenever it is "
        f"used: {why}",
        stacklevel=2,
    )
