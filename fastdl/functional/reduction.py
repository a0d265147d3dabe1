"""Sums, products and extremes of the elements along axes.

The gradient of a sum is dy for every element; of a mean of m elements dy / m; of a
maximum dy for the element that is it, shared equally by equal ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ShapeError
from fastdl.functional.elementwise import add_up, empty_like
from fastdl.shapes import axes, one_axis
from fastdl.shapes.remember import remember
from fastdl.typing import Axis, Shape, TensorLike


@remember
def shapes_of(
    shape: Shape, axis: Axis, operation: str
) -> tuple[Shape, Shape, Shape, int]:
    """Return the axes, the shape with them as 1 and without, the terms of a sum."""
    reduced = axes(axis, shape, operation)
    kept = tuple(1 if i in reduced else size for i, size in enumerate(shape))
    dropped = tuple(size for i, size in enumerate(shape) if i not in reduced)
    return reduced, kept, dropped, math.prod(shape[i] for i in reduced)


def reduce(
    ufunc: np.ufunc, x: np.ndarray, axis: Axis, keepdims: bool, operation: str
) -> tuple[np.ndarray, Shape, int]:
    """Return the result, its shape with axes kept as 1, and the elements of a sum."""
    reduced, kept, dropped, count = shapes_of(x.shape, axis, operation)
    if count == 0 and ufunc.identity is None:
        raise ShapeError(f"{operation}: no elements along axis={axis} of {x.shape}")
    y = backend.empty(kept if keepdims else dropped, x.dtype)
    if ufunc is np.add:
        add_up(x, reduced, y, keepdims)
    else:
        ufunc.reduce(x, reduced, out=y, keepdims=keepdims)
    return y, kept, count


def _sum_backward(node: Node, dy: np.ndarray) -> tuple:
    kept, shape, factor = node.arguments
    dx = backend.empty(shape, dy.dtype)
    return (np.multiply(dy.reshape(kept), factor, dx),)


def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Add the elements along axes.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int or sequence of int, optional
        By default all axes.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor
        The shape of `x` without the axes.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or names one twice.
    """
    x = as_tensor(x)
    y, kept, _ = reduce(np.add, x.data, axis, keepdims, "sum")
    return record(y, _sum_backward, (x._node,), (), (kept, x.data.shape, 1.0))


def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Average the elements along axes. See `sum`; the mean of no element is NaN."""
    x = as_tensor(x)
    y, kept, count = reduce(np.add, x.data, axis, keepdims, "mean")
    factor = 1 / count if count else math.nan
    y *= factor
    return record(y, _sum_backward, (x._node,), (), (kept, x.data.shape, factor))


def share(chosen: np.ndarray, dy: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Return dy, whose reduced axes are 1, in equal shares for what is chosen."""
    pairs = enumerate(zip(dy.shape, chosen.shape, strict=True))
    reduced = tuple(i for i, (a, b) in pairs if a < b)
    shares = np.maximum(chosen.sum(reduced, keepdims=True, dtype=dy.dtype), 1)
    return np.multiply(chosen, dy / shares, out)


def _extreme_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (kept, _), y = node.saved, node.arguments, node.result
    return (share(x == y.reshape(kept), dy.reshape(kept), empty_like(x)),)


def max(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the largest element along axes; NaN wins. See `sum`.

    Equal largest elements share the gradient. There must be an element to choose.
    """
    x = as_tensor(x)
    y, kept, _ = reduce(np.maximum, x.data, axis, keepdims, "max")
    saved, arguments = (x.data, x._changed), (kept, np.maximum)
    return record(y, _extreme_backward, (x._node,), saved, arguments, True)


def min(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element along axes; NaN wins. See `max`."""
    x = as_tensor(x)
    y, kept, _ = reduce(np.minimum, x.data, axis, keepdims, "min")
    saved, arguments = (x.data, x._changed), (kept, np.minimum)
    return record(y, _extreme_backward, (x._node,), saved, arguments, True)


def _arguments_of_extreme(
    argument: Callable[..., np.ndarray], x: TensorLike, axis: int | None, keepdims: bool
) -> np.ndarray:
    data, operation = as_tensor(x).data, argument.__name__
    if axis is not None:
        axis = one_axis(axis, data.shape, operation)
    if (data.size if axis is None else data.shape[axis]) == 0:
        raise ShapeError(f"{operation}: no elements along axis={axis} of {data.shape}")
    return np.asarray(argument(data, axis, keepdims=keepdims))


def argmax(
    x: TensorLike, axis: int | None = None, keepdims: bool = False
) -> np.ndarray:
    """Return where the largest element stands: the first of equal ones; NaN wins.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int, optional
        By default the place is that in the flattened `x`.
    keepdims : bool
        Whether the axis stays, with size 1.

    Returns
    -------
    numpy.ndarray
        Integers, of the shape of `x` without the axis; no gradient flows through them.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or there is no element to choose.
    """
    return _arguments_of_extreme(np.argmax, x, axis, keepdims)


def argmin(
    x: TensorLike, axis: int | None = None, keepdims: bool = False
) -> np.ndarray:
    """Return where the smallest element stands. See `argmax`."""
    return _arguments_of_extreme(np.argmin, x, axis, keepdims)


# Products and running sums -----------------------------------------------------------


def _prod_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (reduced,) = node.saved, node.arguments
    order = [i for i in range(x.ndim) if i not in reduced] + list(reduced)
    turned = x.transpose(order)
    rows = turned.reshape(dy.size, math.prod(x.shape[i] for i in reduced))
    # The product of the others: of those before times those behind. The whole product
    # divided by x would fail at 0.
    before, behind = np.ones_like(rows), np.ones_like(rows)
    np.multiply.accumulate(rows[:, :-1], 1, out=before[:, 1:])
    np.multiply.accumulate(rows[:, :0:-1], 1, out=behind[:, -2::-1])
    others = before * behind
    others *= dy.reshape(dy.size, 1)
    return (others.reshape(turned.shape).transpose(np.argsort(order)),)


def prod(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Multiply the elements along axes. See `sum`; the product of no element is 1.

    The gradient of an element is the product of the others, also where some are 0.
    """
    x = as_tensor(x)
    y, *_ = reduce(np.multiply, x.data, axis, keepdims, "prod")
    reduced = axes(axis, x.data.shape, "prod")
    return record(y, _prod_backward, (x._node,), (x.data, x._changed), (reduced,))


def _running_sum(x: np.ndarray, axis: int) -> np.ndarray:
    """Add up in float64: a running sum is one long chain."""
    y = empty_like(x)
    y[...] = np.add.accumulate(x, axis, np.float64)
    return y


def _cumsum_backward(node: Node, dy: np.ndarray) -> tuple:
    (axis,) = node.arguments
    return (np.flip(_running_sum(np.flip(dy, axis), axis), axis),)


def cumsum(x: TensorLike, axis: int) -> Tensor:
    """Return the running sums along an axis: each element and all before it.

    Parameters
    ----------
    x : Tensor or array_like
        At least one axis.
    axis : int
        NumPy flattens `x` when it is not given; here it must be.

    Returns
    -------
    Tensor
        The shape of `x`.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`.
    """
    x = as_tensor(x)
    axis = one_axis(axis, x.data.shape, "cumsum")
    y = _running_sum(x.data, axis)
    return record(y, _cumsum_backward, (x._node,), (), (axis,))
