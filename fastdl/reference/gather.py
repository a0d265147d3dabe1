"""The examples of a mini-batch, gathered from all examples: y[i] = x[indices[i]].

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
