"""Spreads and norms of the elements along axes, and the logarithm of a sum.

Where a norm or a standard deviation is 0, and so has no gradient, 0 is taken.
"""

from __future__ import annotations

import math

import numpy as np

from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import divide, empty_like
from fastdl.functional.reduction import reduce, shapes_of, share
from fastdl.functional.unary import clamp
from fastdl.shapes import is_positive, one_axis
from fastdl.shapes.numbers import is_number
from fastdl.typing import Axis, Shape, TensorLike

# Spreads -----------------------------------------------------------------------------


def _var_backward(node: Node, dy: np.ndarray) -> tuple:
    centred, scale, kept, _ = node.arguments
    return (np.multiply(centred, dy.reshape(kept) * scale, empty_like(centred)),)


def _std_backward(node: Node, dy: np.ndarray) -> tuple:
    return _var_backward(node, dy)


def _variance(
    x: np.ndarray, axis: Axis, correction: float, operation: str
) -> tuple[np.ndarray, np.ndarray, Shape, float]:
    """Return x - mean, the variance with axes kept, its shape without, its divisor."""
    _, _, dropped, count = shapes_of(x.shape, axis, operation)
    if not is_number(correction):
        raise ArgumentError(
            f"{operation}: correction must be a number, got {correction!r}"
        )
    if not count > correction:
        raise ShapeError(
            f"{operation}: expected more than correction={correction} elements along "
            f"axis={axis} of {x.shape}, got {count}; correction=0 takes one as well"
        )
    mean = reduce(np.add, x, axis, True, operation)[0]
    mean *= 1 / count
    centred = np.subtract(x, mean, empty_like(x))
    # The mean was rounded, by much if it is large: what it lacks is subtracted too.
    lacking = reduce(np.add, centred, axis, True, operation)[0]
    lacking *= 1 / count
    centred -= lacking
    squares = np.square(centred, empty_like(x))
    variance = reduce(np.add, squares, axis, True, operation)[0]
    variance *= 1 / (count - correction)
    return centred, variance, dropped, count - correction


def var(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, correction: float = 1
) -> Tensor:
    """Return the variance of the elements along axes.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int or sequence of int, optional
        By default all axes.
    keepdims : bool
        Whether the axes stay, with size 1.
    correction : float
        The sum of the squared differences from the mean is divided by the number of
        elements minus this. 1 is the unbiased estimate, as in PyTorch; NumPy, where it
        is called ddof, takes 0, as normalisation layers do.

    Returns
    -------
    Tensor
        The shape of `x` without the axes.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or there are no more elements than `correction`.
    ArgumentError
        `correction` is no number.
    """
    x = as_tensor(x)
    centred, y, dropped, divisor = _variance(x.data, axis, correction, "var")
    arguments = (centred, 2 / divisor, y.shape, correction)
    y = y if keepdims else y.reshape(dropped)
    return record(y, _var_backward, (x._node,), (), arguments)


def std(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, correction: float = 1
) -> Tensor:
    """Return the standard deviation, the square root of `var`.

    Where it is 0 its gradient is 0 (PyTorch: NaN).
    """
    x = as_tensor(x)
    centred, y, dropped, divisor = _variance(x.data, axis, correction, "std")
    np.sqrt(y, y)
    scale = np.zeros_like(y)
    np.divide(1 / divisor, y, scale, where=y != 0)
    arguments = (centred, scale, y.shape, correction)
    y = y if keepdims else y.reshape(dropped)
    return record(y, _std_backward, (x._node,), (), arguments)


# Norms -------------------------------------------------------------------------------


def _norm_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (p, kept) = node.saved, node.arguments
    y, dy = node.result.reshape(kept), dy.reshape(kept)
    dx = np.sign(x, empty_like(x))
    if p == math.inf:
        dx *= share(np.abs(x) == y, dy, empty_like(x))
        return (dx,)
    ratio = np.abs(x)
    ratio /= np.where(y == 0, 1, y)
    if p != 1:
        ratio[ratio == 0] = 1  # where dx is 0, which a power below 0 would turn to NaN
        dx *= ratio ** (p - 1)
    dx *= dy
    return (dx,)


def norm(
    x: TensorLike, p: float = 2, axis: Axis = None, keepdims: bool = False
) -> Tensor:
    r"""Return the p-norm of the elements along axes, :math:`(\sum |x|^p)^{1/p}`.

    Nothing overflows on the way, as all is scaled by the largest element. The gradient
    of an element that is 0 is 0, also in a norm that is 0.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    p : float
        > 0; 1 is the sum of the magnitudes, 2 the Euclidean length, math.inf the
        largest magnitude.
    axis : int or sequence of int, optional
        By default all axes, as one long vector: the Frobenius norm of a matrix.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor
        The shape of `x` without the axes; the norm of no element is 0.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or names one twice.
    ArgumentError
        `p` is no number above 0.
    """
    x = as_tensor(x)
    if not (is_number(p) and p > 0):
        raise ArgumentError(f"norm: p must be a number > 0 or math.inf, got {p!r}")
    reduced, kept, dropped, _ = shapes_of(x.data.shape, axis, "norm")
    sizes = np.absolute(x.data, empty_like(x.data))
    y = np.maximum.reduce(sizes, reduced, keepdims=True, initial=0)
    if p != math.inf:
        _, exponent = np.frexp(y)
        scale = np.ldexp(x.data.dtype.type(1), exponent - 1)  # exact: a power of 2
        sizes /= scale
        powers = sizes if p == 1 else sizes**p
        y = reduce(np.add, powers, axis, True, "norm")[0]
        y **= 1 / p
        y *= scale
    y = y.reshape(kept if keepdims else dropped)
    saved = (x.data, x._changed)
    return record(y, _norm_backward, (x._node,), saved, (p, kept), True)


def normalize(
    x: TensorLike, p: float = 2, axis: int = -1, eps: float = 1e-12
) -> Tensor:
    """Return x divided by its p-norm along an axis: vectors of length 1.

    ::

        cosine = F.sum(F.normalize(a) * F.normalize(b), axis=-1)

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    p : float
        See `norm`.
    axis : int
        That of the vectors; PyTorch takes axis 1 by default.
    eps : float
        > 0; what shorter vectors are divided by, so that 0 stays 0.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`.
    ArgumentError
        `p` or `eps` is no number above 0.
    """
    if not is_positive(eps):
        raise ArgumentError(f"normalize: eps must be a finite number > 0, got {eps!r}")
    x = as_tensor(x)
    axis = one_axis(axis, x.data.shape, "normalize")
    return divide(x, clamp(norm(x, p, axis, keepdims=True), eps))


def _logsumexp_backward(node: Node, dy: np.ndarray) -> tuple:
    terms, total = node.arguments
    share = dy.reshape(total.shape) / np.where(total == 0, 1, total)
    with np.errstate(invalid="ignore"):  # NaN for the infinite ones
        return (np.multiply(terms, share, empty_like(terms)),)


def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return log(sum(exp(x))) along axes, without overflow. See `sum`.

    Where all elements are -inf, so is the result, and the gradient is 0 (PyTorch: NaN),
    so that rows which are masked as a whole do no harm.
    """
    x = as_tensor(x)
    reduced, kept, dropped, _ = shapes_of(x.data.shape, axis, "logsumexp")
    largest = np.maximum.reduce(x.data, reduced, keepdims=True, initial=-np.inf)
    ends = np.finfo(x.data.dtype)  # so that infinity minus infinity stays infinite
    largest = np.clip(largest, ends.min, ends.max)
    terms = np.subtract(x.data, largest, empty_like(x.data))
    np.exp(terms, terms)
    total = reduce(np.add, terms, axis, True, "logsumexp")[0]
    with np.errstate(divide="ignore"):
        y = np.log(total, empty_like(total))
    y += largest
    y = y.reshape(kept if keepdims else dropped)
    return record(y, _logsumexp_backward, (x._node,), (), (terms, total))
