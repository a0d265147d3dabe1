"""Sums, means and extremes over axes, and the mean squared error.

The gradient of a sum is dy for every element; of a mean of m elements dy / m; of a
maximum dy for the element that is it, shared equally by equal ones.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, DtypeError, ShapeError, suggest
from fastdl.functional.elementwise import add_up, empty_like
from fastdl.functional.targets import example_weights
from fastdl.shapes import check_real, holds_pictures
from fastdl.shapes.remember import remember
from fastdl.typing import ArrayLike, Axis, Shape, TensorLike


@remember
def _shapes(
    shape: Shape, axis: Axis, operation: str
) -> tuple[Shape, Shape, Shape, int]:
    """Return the axes, the shape with them as 1 and without, the terms of a sum."""
    ndim = len(shape)
    listed: Sequence[int] = range(ndim)
    if axis is not None:
        listed = axis if isinstance(axis, (tuple, list)) else (axis,)
    try:
        axes = {i + ndim if i < 0 else i for i in map(operator.index, listed)}
    except TypeError:
        axes = set()
    if len(axes) != len(listed) or not axes.issubset(range(ndim)):
        raise ShapeError(
            f"{operation}: expected axes from {-ndim} to {ndim - 1}, each once, for an "
            f"array of shape {shape}, got axis={axis}"
        )
    kept = tuple(1 if i in axes else size for i, size in enumerate(shape))
    dropped = tuple(size for i, size in enumerate(shape) if i not in axes)
    return tuple(sorted(axes)), kept, dropped, math.prod(shape[i] for i in axes)


def _reduce(
    ufunc: np.ufunc, x: np.ndarray, axis: Axis, keepdims: bool, operation: str
) -> tuple[np.ndarray, Shape, int]:
    """Return the result, its shape with axes kept as 1, and the elements of a sum."""
    axes, kept, dropped, count = _shapes(x.shape, axis, operation)
    if count == 0 and ufunc.identity is None:
        raise ShapeError(f"{operation}: no elements along axis={axis} of {x.shape}")
    y = backend.empty(kept if keepdims else dropped, x.dtype)
    if ufunc is np.add:
        add_up(x, axes, y, keepdims)
    else:
        ufunc.reduce(x, axes, out=y, keepdims=keepdims)
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
    y, kept, _ = _reduce(np.add, x.data, axis, keepdims, "sum")
    return record(y, _sum_backward, (x._node,), (), (kept, x.data.shape, 1.0))


def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Average the elements along axes. See `sum`; the mean of no element is NaN."""
    x = as_tensor(x)
    y, kept, count = _reduce(np.add, x.data, axis, keepdims, "mean")
    factor = 1 / count if count else math.nan
    y *= factor
    return record(y, _sum_backward, (x._node,), (), (kept, x.data.shape, factor))


def _extreme_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (kept,), y = node.saved, node.arguments, node.result
    axes = tuple(i for i, (a, b) in enumerate(zip(kept, x.shape, strict=True)) if a < b)
    chosen = x == y.reshape(kept)
    shares = np.maximum(chosen.sum(axes, keepdims=True, dtype=x.dtype), 1)
    return (np.multiply(chosen, dy.reshape(kept) / shares, empty_like(x)),)


def max(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the largest element along axes; NaN wins. See `sum`.

    Equal largest elements share the gradient. There must be an element to choose.
    """
    x = as_tensor(x)
    y, kept, _ = _reduce(np.maximum, x.data, axis, keepdims, "max")
    saved = (x.data, x._changed)
    return record(y, _extreme_backward, (x._node,), saved, (kept,), True)


def min(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element along axes; NaN wins. See `max`."""
    x = as_tensor(x)
    y, kept, _ = _reduce(np.minimum, x.data, axis, keepdims, "min")
    saved = (x.data, x._changed)
    return record(y, _extreme_backward, (x._node,), saved, (kept,), True)


def check_targets(operation: str, targets: Shape, outputs: Shape) -> None:
    """Raise ShapeError unless targets have exactly the shape of a model's outputs."""
    if targets != outputs:
        hint = ""
        if math.prod(targets) == math.prod(outputs):
            hint = f"; if they belong together use targets.reshape{outputs}"
        raise ShapeError(
            f"{operation}: expected targets of the shape of the outputs, {outputs}, "
            f"got {targets}{hint}"
        )


def reduction_factor(reduction: str, count: float, operation: str) -> float | None:
    """Return what multiplies the sum of the losses, or None for "none".

    See `reduce_losses`.
    """
    if reduction == "mean":
        return 1 / float(count) if count else 0.0
    if reduction == "sum":
        return 1.0
    if reduction == "none":
        return None
    hint = suggest(reduction, ("mean", "sum", "none"))
    raise ArgumentError(f"{operation}: unknown reduction {reduction!r}{hint}")


def reduce_losses(
    losses: np.ndarray, reduction: str, count: float, operation: str
) -> tuple[np.ndarray, float]:
    """Reduce losses as the argument `reduction` of a loss function says.

    Parameters
    ----------
    losses
        Any shape.
    reduction
        "mean", "sum" or "none".
    count
        What a mean divides the sum by: the number of losses, or the sum of their
        weights. A mean of none is 0, with gradient 0.
    operation
        The name for the message.

    Returns
    -------
    result : numpy.ndarray
        One number, or `losses`.
    factor : float
        The derivative of the result with respect to each of the losses.

    Raises
    ------
    ArgumentError
        For another `reduction`.
    """
    factor = reduction_factor(reduction, count, operation)
    if factor is None:
        return losses, 1.0
    result = backend.empty((), losses.dtype)
    np.add.reduce(losses, None, out=result)
    result *= factor
    return result, factor


def spread_loss(dy: np.ndarray, factor: float, shape: Shape) -> np.ndarray:
    """Return the gradient of `reduce_losses`: dy * factor for each of the losses."""
    return np.multiply(dy, factor, backend.empty(shape, dy.dtype))


def _mse_loss_backward(node: Node, dy: np.ndarray) -> tuple:
    difference, weight, factor = node.arguments
    prediction, target = node.inputs
    dx = np.multiply(difference, 2 * factor * dy, empty_like(difference))
    if weight is not None:
        dx *= weight
    return (
        dx if prediction else None,
        np.negative(dx, empty_like(dx)) if target else None,
    )


def mse_loss(
    prediction: TensorLike,
    target: TensorLike,
    reduction: str = "mean",
    *,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    """Return the squared error w (prediction - target)^2.

    Parameters
    ----------
    prediction : Tensor
        Any shape.
    target : Tensor or array_like
        Exactly the shape of `prediction`; arrays are converted to its type.
    reduction : str
        "mean" over all elements, "sum" or "none". A weighted mean divides by the sum of
        the weights.
    sample_weight : array_like, optional
        w, numbers >= 0, of the shape of `prediction` or of its first axis.

    Returns
    -------
    Tensor
        One number; for "none", the shape of `prediction`.

    Raises
    ------
    ShapeError
        The shapes differ, even if they could be broadcast; the weights do not fit.
    DtypeError
        The target is uint8 and may be pictures, to be scaled, as well as numbers.
    ArgumentError
        For another `reduction`, or a weight that is negative or not finite.
    """
    prediction = as_tensor(prediction)
    x = prediction.data
    if holds_pictures(target):
        raise DtypeError(
            f"mse_loss: target is uint8 of shape {target.shape}; give "
            f"fastdl.data.as_float(target) for pictures in [0, 1], as the model sees "
            f"them, or target.astype(np.float32) for the numbers as they are"
        )
    if not isinstance(target, Tensor):
        target = Tensor(target, dtype=x.dtype)
    check_real("mse_loss", prediction=x, target=target.data)
    check_targets("mse_loss", target.data.shape, x.shape)
    difference = np.subtract(x, target.data, empty_like(x))
    losses = np.square(difference, empty_like(x))
    weight, count = None, float(x.size)
    if sample_weight is not None:
        weight = example_weights(sample_weight, x.shape, x.dtype, "mse_loss")
        count = weight.sum()
        losses *= weight
    loss, factor = reduce_losses(losses, reduction, count, "mse_loss")
    inputs = (prediction._node, target._node)
    return record(loss, _mse_loss_backward, inputs, (), (difference, weight, factor))
