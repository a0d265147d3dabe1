"""Data sets kept as NumPy archives: digits, inside the package, and signs."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from fastdl.data import ArrayDataset
from fastdl.datasets.files import DataFolder
from fastdl.datasets.splits import Splits, check_labels, labelled
from fastdl.errors import DataError
from fastdl.files import inflated_limit, read_into, reading
from fastdl.typing import Shape

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
DIGITS = Path(__file__).with_name("digits.npz")


def load_digits(folder: DataFolder) -> Splits:
    """Load the UCI optical digits (Alpaydin & Kaynak 1998), see ATTRIBUTION.txt.

    The 13 people who wrote the test set are not among the 30 of the training set.
    """
    train, test = (
        ArrayDataset(part.x[..., np.newaxis] / np.float32(16), part.y)
        for part in read_npz(DIGITS, (8, 8), classes=10)
    )
    return Splits(folder.name, train, test, tuple("0123456789"))


def load_signs(folder: DataFolder) -> Splits:
    """Load the SIGNS pictures (deeplearning.ai): hands showing 0 to 5 fingers."""
    train, test = read_npz(folder.find("signs.npz"), (64, 64, 3), classes=6)
    return Splits(folder.name, train, test, tuple("012345"))


def read_npz(
    path: Path, shape: Shape, classes: int
) -> tuple[ArrayDataset, ArrayDataset]:
    """Read the training and test set from x_train, y_train, x_test, y_test.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Of one image.
    classes : int
        Labels are 0 to ``classes`` - 1.

    Returns
    -------
    tuple of ArrayDataset
        x uint8 (m, *shape), y int64 (m,).

    Raises
    ------
    DataError
        When the file is damaged or contains something else.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is no whole NumPy archive (.npz)")
    with reading(path), zipfile.ZipFile(path) as archive:
        # All headers before the first array, so that nothing else is ever inflated.
        members = {name: _Member.of(archive, name, path) for name in _ARRAYS}
        for x in (members["x_train"], members["x_test"]):
            if x.dtype != np.uint8 or x.shape[1:] != shape:
                expected = ", ".join(map(str, ("m", *shape)))
                raise DataError(
                    f"{path}: images need to be uint8 ({expected}), got {x.dtype} "
                    f"{x.shape}"
                )
        for part in ("train", "test"):
            check_labels(members[f"x_{part}"], members[f"y_{part}"], path)
        arrays = [member.read(archive, path) for member in members.values()]
    return (
        labelled(arrays[0], arrays[1], classes, path),
        labelled(arrays[2], arrays[3], classes, path),
    )


class _Member(NamedTuple):
    """The description of an array in an archive."""

    name: str
    shape: Shape
    dtype: np.dtype
    fortran_order: bool

    @classmethod
    def of(cls, archive: zipfile.ZipFile, name: str, path: Path) -> _Member:
        """Read the header of an array, and compare it with the length of the file."""
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{path}: {name} is not compressed as NumPy does it")
        with archive.open(info) as file:
            shape, fortran_order, dtype = _read_header(file)
        if dtype.hasobject:
            raise DataError(f"{path}: {name} holds Python objects, which are not read")
        size = math.prod(shape) * dtype.itemsize
        if size > min(info.file_size, inflated_limit(path)):
            raise DataError(
                f"{path} should hold {name} {shape} = {size} bytes, but is too short "
                f"for it"
            )
        return cls(name, shape, dtype, fortran_order)

    def read(self, archive: zipfile.ZipFile, path: Path) -> np.ndarray:
        """Return the array."""
        array = np.empty(self.shape, self.dtype, "F" if self.fortran_order else "C")
        with archive.open(f"{self.name}.npy") as file:
            _read_header(file)
            if read_into(file, array.T if self.fortran_order else array) < array.nbytes:
                raise DataError(f"{path} is cut off in {self.name}")
            if file.read(1):  # reading to the end checks the CRC
                raise DataError(f"{path}: {self.name} goes on after its end")
        return array


def _read_header(file: IO[bytes]) -> tuple[Shape, bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # as for all arrays of numbers; others have long headers
        raise ValueError(f"the version {version} of .npy is none of arrays of numbers")
    return np.lib.format.read_array_header_1_0(file)
