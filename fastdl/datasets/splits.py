"""A data set as `load` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from fastdl.data import ArrayDataset
from fastdl.data.dataset import Gathered
from fastdl.errors import DataError
from fastdl.typing import Shape, StrPath

Part = ArrayDataset | Gathered
"""Examples in memory, or gathered when they are used."""


class Splits(NamedTuple):
    """A data set with its official split.

    Attributes
    ----------
    name : str
    train, test : ArrayDataset or PictureFiles
        x (m, h, w, c), uint8 or float32 in [0, 1]; y (m,), int64. ``test`` is None if
        the source has none; `fastdl.data.split` makes one.
    classes : tuple of str
        The name of each label.
    dev : ArrayDataset or PictureFiles, optional
        If the source has a dev set: from the distribution of the test set, from which
        that of the training set may differ.
    skipped : mapping of str to str
        The files that could not be read and were left out, each with the reason; see
        `image_folder`.
    """

    name: str
    train: Part
    test: Part | None
    classes: tuple[str, ...]
    dev: Part | None = None
    skipped: Mapping[str, str] = MappingProxyType({})


def labelled(
    x: np.ndarray, y: np.ndarray, classes: int, source: StrPath
) -> ArrayDataset:
    """Return images and their labels as a data set, with labels of int64.

    Raises
    ------
    DataError
        When the lengths differ or a label is not in 0 to ``classes`` - 1; the message
        begins with ``source``.
    """
    check_labels(x, y, source)
    wrong = y[(y < 0) | (y >= classes)]
    if wrong.size:
        raise DataError(
            f"{source}: label {wrong[0]}, expected labels are 0 to {classes - 1}"
        )
    return ArrayDataset(x, y.astype(np.int64))


class _Described(Protocol):
    """An array, or the description of one in a file."""

    @property
    def shape(self) -> Shape: ...
    @property
    def dtype(self) -> np.dtype: ...


def check_labels(x: _Described, y: _Described, source: StrPath) -> None:
    """Raise DataError unless y has one integer for each image of x."""
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        raise DataError(
            f"{source}: {x.shape[0]} images need as many integer labels, got {y.dtype} "
            f"of shape {y.shape}"
        )
