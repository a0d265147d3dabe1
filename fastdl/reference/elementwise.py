"""Arithmetic of arrays of one shape: y = a + b.

The residual of a block, and the gradients of a tensor that was used twice, are added.
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes
from fastdl.reference.activation import put


def add(a: np.ndarray, b: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Return a + b.

    Parameters
    ----------
    a, b
        Of one shape and type.
    out
        Takes the result; may be `a` or `b`.

    Returns
    -------
    numpy.ndarray
        `out`, or a new array.

    Raises
    ------
    ShapeError
        The shapes differ: nothing is stretched here.
    """
    shapes.check_shape("add", "b", b.shape, a.shape)
    return put(np.asarray(a + b), out, "add")
