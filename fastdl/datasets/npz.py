"""Data sets kept as NumPy archives: digits, inside the package, and signs."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from fastdl.data import ArrayDataset
from fastdl.datasets.files import DataFolder
from fastdl.datasets.splits import Splits, labelled
from fastdl.errors import DataError

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
DIGITS = Path(__file__).with_name("digits.npz")


def load_digits(folder: DataFolder) -> Splits:
    """Load the UCI optical digits (Alpaydin & Kaynak 1998), see ATTRIBUTION.txt.

    The test set was written by 13 other people than the 30 of the training set.
    """
    train, test = (
        ArrayDataset(part.x[..., np.newaxis] / np.float32(16), part.y)
        for part in read_npz(DIGITS, (8, 8), classes=10)
    )
    return Splits(folder.name, train, test, tuple("0123456789"))


def load_signs(folder: DataFolder) -> Splits:
    """Load the SIGNS pictures (deeplearning.ai): hands that show 0 to 5 fingers."""
    train, test = read_npz(folder.find("signs.npz"), (64, 64, 3), classes=6)
    return Splits(folder.name, train, test, tuple("012345"))


def read_npz(
    path: Path, shape: tuple[int, ...], classes: int
) -> tuple[ArrayDataset, ArrayDataset]:
    """Read train and test set from an archive of x_train, y_train, x_test, y_test.

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
        When the file is damaged or holds something else.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is no whole NumPy archive (.npz)")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[name] for name in _ARRAYS]
    except (
        KeyError,
        ValueError,
        OSError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
    ) as why:
        raise DataError(f"{path} cannot be read: {why}") from why
    for x in arrays[::2]:
        if x.dtype != np.uint8 or x.shape[1:] != shape:
            expected = ", ".join(map(str, ("m", *shape)))
            raise DataError(
                f"{path}: images need to be uint8 ({expected}), got {x.dtype} {x.shape}"
            )
    return (
        labelled(arrays[0], arrays[1], classes, path),
        labelled(arrays[2], arrays[3], classes, path),
    )
