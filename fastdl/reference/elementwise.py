"""Arithmetic of arrays of one shape: y = a + b, y = x ** p; and copies.

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


def power(x: np.ndarray, exponent: float) -> np.ndarray:
    """Return x ** exponent, as NumPy has it.

    The compiled kernel makes exponents up to 5 in steps of 1/2 by products and a square
    root: within 4 units of the last place.
    """
    with np.errstate(all="ignore"):
        return np.asarray(np.power(x, x.dtype.type(exponent)))


def power_backward(dy: np.ndarray, x: np.ndarray, exponent: float) -> np.ndarray:
    """Return dx = dy exponent x ** (exponent - 1).

    For the exponent 0 it is 0, even where x ** -1 is infinite: the power is constant.
    """
    shapes.check_shape("power_backward", "dy", dy.shape, x.shape)
    if exponent == 0:
        return np.zeros_like(x)
    with np.errstate(all="ignore"):
        return np.asarray(dy * (x.dtype.type(exponent) * power(x, exponent - 1)))


def copy(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Copy `x` into `out`, which may be a view of a larger array, and return `out`.

    Parameters
    ----------
    x
        Of any type that goes into that of `out`.
    out
        Shares no memory with `x`.

    Raises
    ------
    ShapeError
        The shapes differ: nothing is stretched here.
    """
    shapes.check_shape("copy", "out", out.shape, x.shape)
    np.copyto(out, x)
    return out
