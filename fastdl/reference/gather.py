"""The examples of a mini-batch, gathered from all examples: y[i] = x[indices[i]].

The gradient of a row is the sum of those of its copies.

Pictures are stored as bytes but computed with as real numbers, so bytes are divided by
255 on the way.
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return rows of an array as a new array; bytes become float32 in [0, 1].

    Parameters
    ----------
    x
        (m, ...), numbers of any type.
    indices
        (n,) integers in [0, m).

    Returns
    -------
    numpy.ndarray
        (n, ...) in the type of `x`, or float32 for uint8.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
        An index is out of range, or `indices` are not integers.
    """
    rows = x[shapes.rows(indices, len(x), "gather")]
    if x.dtype != np.uint8:
        return rows
    return np.divide(rows, np.float32(255), dtype=np.float32)


def gather_backward(
    dy: np.ndarray, indices: np.ndarray, count: int, axis: int = 0
) -> np.ndarray:
    """Return the gradient of x, of which y = take(x, indices, axis) was taken.

    Parameters
    ----------
    dy
        (..., n, ...), n along `axis`.
    indices
        (n,) integers in [0, count).
    count
        The size of x along `axis`.
    axis
        From 0.

    Returns
    -------
    numpy.ndarray
        (..., count, ...): 0 for what was not taken, and the sum, in the order of the
        indices, for what was taken several times.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
        An index is out of range, or `indices` are not n integers.
    """
    indices = shapes.gathered(dy.shape, indices, count, axis, "gather_backward")
    dx = np.zeros((*dy.shape[:axis], count, *dy.shape[axis + 1 :]), dy.dtype)
    np.add.at(np.moveaxis(dx, axis, 0), indices, np.moveaxis(dy, axis, 0))
    return dx
