"""Operations that arrange elements in other shapes and compute nothing.

Their gradients move dy back. All but `pad` return views where they can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from fastdl import backend
from fastdl.autograd import Backward, Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import sum_to
from fastdl.shapes import axes, one_axis, pair
from fastdl.shapes.numbers import is_number
from fastdl.typing import Axis, Shape, TensorLike


def record_view(
    x: Tensor, data: np.ndarray, backward: Backward, arguments: tuple
) -> Tensor:
    """Record a result that shares the memory of `x`, so also its changes."""
    y = record(data, backward, (x._node,), (), arguments)
    y._changed = x._changed
    return y


def _listed(sizes: tuple[int | Sequence[int], ...]) -> Shape:
    """Unpack the argument of ``reshape((2, 3))``, which may also be ``(2, 3)``."""
    if sizes and isinstance(sizes[0], (tuple, list)):
        return tuple(sizes[0])
    return cast(Shape, sizes)


def _reshape_backward(node: Node, dy: np.ndarray) -> tuple:
    (shape,) = node.arguments
    return (dy.reshape(shape),)


def reshape(x: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """Arrange the elements in another shape, the last axis fastest.

    Parameters
    ----------
    x : Tensor or array_like
    *shape : int or sequence of int
        The sizes, or one sequence of them; one of them may be -1: what is left.

    Raises
    ------
    ShapeError
        The shape does not hold as many elements as `x`.
    """
    x = as_tensor(x)
    sizes = _listed(shape)
    try:
        y = x.data.reshape(sizes)
    except (ValueError, TypeError):
        raise ShapeError(
            f"reshape: an array of shape {x.data.shape} has {x.data.size} elements, "
            f"which do not fit into {sizes!r:.80}; one size may be -1, what is left"
        ) from None
    if x.data.flags.c_contiguous or np.may_share_memory(x.data, y):
        return record_view(x, y, _reshape_backward, (x.data.shape,))
    return record(y, _reshape_backward, (x._node,), (), (x.data.shape,))  # a copy


def flatten(x: TensorLike, start: int = 0, end: int = -1) -> Tensor:
    """Make one axis of those from `start` to `end`, the last of them included.

    Parameters
    ----------
    x : Tensor or array_like
        A single number becomes one element.
    start, end : int
        By default all axes; ``start=1`` leaves examples in rows.

    Raises
    ------
    ShapeError
        `start` or `end` is not an axis of `x`, or `start` lies behind `end`.
    """
    x = as_tensor(x)
    shape = x.data.shape or (1,)
    first, last = one_axis(start, shape, "flatten"), one_axis(end, shape, "flatten")
    if first > last:
        raise ShapeError(
            f"flatten: expected start before end, got start={start} and end={end} for "
            f"an array of shape {shape}"
        )
    size = math.prod(shape[first : last + 1])
    return reshape(x, (*shape[:first], size, *shape[last + 1 :]))


def squeeze(x: TensorLike, axis: Axis = None) -> Tensor:
    """Remove axes of size 1.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or sequence of int, optional
        By default all axes of size 1.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or has another size (where PyTorch would leave
        it as it is).
    """
    x = as_tensor(x)
    shape = x.data.shape
    if axis is None:
        return reshape(x, [size for size in shape if size != 1])
    removed = axes(axis, shape, "squeeze")
    if any(shape[i] != 1 for i in removed):
        raise ShapeError(
            f"squeeze: expected axes of size 1, got axis={axis} for an array of shape "
            f"{shape}"
        )
    return reshape(x, [size for i, size in enumerate(shape) if i not in removed])


def expand_dims(x: TensorLike, axis: int | Sequence[int]) -> Tensor:
    """Insert axes of size 1; `unsqueeze` is another name of it.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or sequence of int
        Where they stand in the result.

    Raises
    ------
    ShapeError
        The result has no such axis, or one is named twice.
    """
    x = as_tensor(x)
    sizes = list(x.data.shape)
    more = len(axis) if isinstance(axis, (tuple, list)) else 1
    for i in axes(axis, (1,) * (len(sizes) + more), "expand_dims"):
        sizes.insert(i, 1)
    return reshape(x, sizes)


unsqueeze = expand_dims


def _transpose_backward(node: Node, dy: np.ndarray) -> tuple:
    (inverse,) = node.arguments
    return (dy.transpose(inverse or None),)


def transpose(x: TensorLike, *axes: int | Sequence[int]) -> Tensor:
    """Permute the axes.

    Parameters
    ----------
    x : Tensor or array_like
    *axes : int or sequence of int
        For each axis of the result, the axis of `x` that it is. By default reversed.

    Raises
    ------
    ShapeError
        The axes are no permutation of those of `x`; or they are given one by one and
        none moves, as PyTorch's ``transpose(0, 1)`` of a matrix would.
    """
    x = as_tensor(x)
    order = _listed(axes)
    if len(axes) > 1 and axes == tuple(range(x.data.ndim)):
        raise ShapeError(
            f"transpose: {axes} are the axes as they are; list them in the new order: "
            f"{axes[:-2] + axes[:-3:-1]} swaps the last two, as .T does for a matrix"
        )
    try:
        y = x.data.transpose(order or None)
    except (ValueError, TypeError):
        raise ShapeError(
            f"transpose: expected each axis of shape {x.data.shape} once, got "
            f"{order!r:.80}"
        ) from None
    positive = [axis % x.data.ndim for axis in order]
    inverse = [positive.index(axis) for axis in range(len(positive))]
    return record_view(x, y, _transpose_backward, (inverse,))


def _flip_backward(node: Node, dy: np.ndarray) -> tuple:
    (reversed_,) = node.arguments
    return (np.flip(dy, reversed_),)


def flip(x: TensorLike, axis: Axis = None) -> Tensor:
    """Reverse the order of the elements along axes, by default all; see `transpose`.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or names one twice.
    """
    x = as_tensor(x)
    reversed_ = axes(axis, x.data.shape, "flip")
    y = np.flip(x.data, reversed_)
    return record_view(x, y, _flip_backward, (reversed_,))


def _broadcast_to_backward(node: Node, dy: np.ndarray) -> tuple:
    (shape,) = node.arguments
    return (sum_to(dy, shape),)


def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Repeat `x` along new axes and axes of size 1, without copying.

    Raises
    ------
    ShapeError
        `x` cannot be stretched to `shape`.
    """
    x = as_tensor(x)
    try:
        y = np.broadcast_to(x.data, shape)
    except (ValueError, TypeError):
        raise ShapeError(
            f"broadcast_to: shape {x.data.shape} cannot be stretched to {shape!r}"
        ) from None
    return record_view(x, y, _broadcast_to_backward, (x.data.shape,))


def _pad_backward(node: Node, dy: np.ndarray) -> tuple:
    inside, _ = node.arguments
    return (dy[inside],)


def pad(x: TensorLike, widths: Sequence[Sequence[int]], value: float = 0.0) -> Tensor:
    """Put a border around `x`.

    Parameters
    ----------
    x : Tensor or array_like
    widths : sequence of pair of int
        For each axis how many elements to add (before, after).
    value : float
        What they hold.

    Raises
    ------
    ShapeError
        `widths` has no pair of integers >= 0 for each axis.
    """
    x = as_tensor(x)
    if not is_number(value):
        raise ArgumentError(f"pad: value must be a number, got {value!r}")
    pairs = [pair(width, "pad: a width", 0) for width in widths]
    if len(pairs) != x.data.ndim:
        raise ShapeError(
            f"pad: expected a pair (before, after) for each of the {x.data.ndim} axes "
            f"of shape {x.data.shape}, got {len(pairs)}"
        )
    sized = list(zip(pairs, x.data.shape, strict=True))
    y = backend.empty([before + n + after for (before, after), n in sized], x.dtype)
    inside = tuple(slice(before, before + n) for (before, _), n in sized)
    room = y
    for axis, part in enumerate(inside):
        lead = (slice(None),) * axis
        if part.stop - part.start < room.shape[axis]:
            room[(*lead, slice(part.start))] = value
            room[(*lead, slice(part.stop, None))] = value
            room = room[(*lead, part)]
    backend.copy(x.data, room)
    return record(y, _pad_backward, (x._node,), (), (inside, value))
