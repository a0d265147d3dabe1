"""What the parts of a data set must share evenly, or keep together."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from fastdl.data.dataset import Dataset
from fastdl.errors import DataError, ShapeError
from fastdl.structure import Structure, entries, is_several
from fastdl.typing import ArrayLike


def are_labels(y: Structure) -> TypeGuard[np.ndarray]:
    """Whether targets are labels of classes: integers (m,)."""
    return isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biu"


def class_labels(dataset: Dataset, operation: str) -> np.ndarray:
    """Return the labels (m,) by which the parts of a data set can be stratified.

    Raises
    ------
    DataError
        There are no labels, or they are not integers (m,); the message begins with
        ``operation``.
    """
    y = dataset.y
    if are_labels(y):
        return y
    if y is None:
        came = "no labels"
    elif is_several(y):
        came = entries(y, "y")
    else:
        came = f"{y.dtype} of shape {y.shape}"
    raise DataError(f"{operation} needs integer labels y (m,), got {came}")


def group_numbers(groups: ArrayLike, m: int, operation: str) -> np.ndarray:
    """Return the group of each example as a number from 0, int64 (m,).

    Parameters
    ----------
    groups : array_like, (m,)
        What the examples of one group have in common: integers or texts, such as the
        writer.
    m : int
        The number of examples.
    operation : str
        The first word of error messages.

    Raises
    ------
    ShapeError
        The number of groups is not the number of examples.
    DataError
        They are neither integers nor texts.
    """
    array = np.asarray(groups)
    if array.shape != (m,):
        raise ShapeError(
            f"{operation}: expected groups of shape ({m},), one for each example, got "
            f"{array.shape}"
        )
    if array.dtype.kind == "O" and all(isinstance(group, str) for group in array):
        array = array.astype(str)  # the way tables store texts
    if m and array.dtype.kind not in "biuSU":
        raise DataError(
            f"{operation}: groups must be integers or texts, such as the writer of "
            f"each example, got dtype {array.dtype}"
        )
    return np.unique(array, return_inverse=True)[1]
