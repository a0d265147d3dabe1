"""Operations that move elements and compute nothing.

Their gradients move dy back; an element that was taken several times receives the sum.
`reshape`, `transpose`, `broadcast_to` and indexing with slices return views.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import SupportsIndex, TypeAlias, cast

import numpy as np

from fastdl import backend
from fastdl.autograd import Backward, Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import sum_to
from fastdl.shapes import check_real, pair
from fastdl.shapes.numbers import is_number
from fastdl.typing import ArrayLike, Shape, TensorLike

_Key: TypeAlias = "SupportsIndex | slice | EllipsisType | ArrayLike | None"
Key: TypeAlias = "_Key | tuple[_Key, ...]"
"""What NumPy takes between brackets."""


def _record_view(
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
    try:
        y = x.data.reshape(_listed(shape))
    except (ValueError, TypeError) as error:
        raise ShapeError(f"reshape: {error}") from None
    if x.data.flags.c_contiguous or np.may_share_memory(x.data, y):
        return _record_view(x, y, _reshape_backward, (x.data.shape,))
    return record(y, _reshape_backward, (x._node,), (), (x.data.shape,))  # a copy


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
        The axes are no permutation of those of `x`.
    """
    x = as_tensor(x)
    order = _listed(axes)
    try:
        y = x.data.transpose(order or None)
    except (ValueError, TypeError) as error:
        raise ShapeError(f"transpose: {error}") from None
    positive = [axis % x.data.ndim for axis in order]
    inverse = [positive.index(axis) for axis in range(len(positive))]
    return _record_view(x, y, _transpose_backward, (inverse,))


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
    return _record_view(x, y, _broadcast_to_backward, (x.data.shape,))


def _is_basic(key: object) -> bool:
    """Whether NumPy answers this index by a view: no element is taken twice."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None
        or part is Ellipsis
        or isinstance(part, slice)
        or (isinstance(part, (int, np.integer)) and not isinstance(part, bool))
        for part in parts
    )


def _index_backward(node: Node, dy: np.ndarray) -> tuple:
    key, shape = node.arguments
    dx = backend.zeros(shape, dy.dtype)
    if _is_basic(key):
        dx[key] = dy
    else:
        np.add.at(dx, key, dy)
    return (dx,)


def index(x: TensorLike, key: Key) -> Tensor:
    """Return ``x[key]``; `key` is all that NumPy takes: slices, integers, arrays."""
    x = as_tensor(x)
    y = x.data[key]  # type: ignore[index]  # NumPy's types leave out lists
    arguments = (key, x.data.shape)
    if not _is_basic(key):
        return record(np.asarray(y), _index_backward, (x._node,), (), arguments)
    if not isinstance(y, np.ndarray):  # one number; with an ellipsis a view of it
        y = x.data[(*key, ...) if isinstance(key, tuple) else (key, ...)]
    return _record_view(x, y, _index_backward, arguments)


def _of_one_type(operation: str, tensors: Sequence[TensorLike]) -> list[Tensor]:
    parts = [as_tensor(tensor) for tensor in tensors]
    arrays = {f"tensors[{i}]": part.data for i, part in enumerate(parts)}
    check_real(operation, **arrays)
    return parts


def _concatenate_backward(node: Node, dy: np.ndarray) -> tuple:
    axis, sizes = node.arguments
    return tuple(np.split(dy, np.cumsum(sizes)[:-1], axis))


def concatenate(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors along an axis that they have.

    Parameters
    ----------
    tensors : sequence of Tensor or array_like
        At least one; alike in type and in all sizes but that along `axis`.
    axis : int

    Raises
    ------
    ShapeError
        There is nothing to join, no such axis, or another size differs.
    DtypeError
        Some are float32, others float64.
    """
    parts = _of_one_type("concatenate", tensors)
    arrays = [part.data for part in parts]
    try:
        sizes = [x.shape[axis] for x in arrays]
        shape = list(arrays[0].shape)
        shape[axis] = sum(sizes)
        y = np.concatenate(arrays, axis, backend.empty(shape, arrays[0].dtype))
    except (ValueError, IndexError, TypeError) as error:
        given = ", ".join(str(x.shape) for x in arrays) or "nothing"
        raise ShapeError(
            f"concatenate: cannot join {given} along axis {axis} ({error})"
        ) from None
    inputs = tuple(part._node for part in parts)
    return record(y, _concatenate_backward, inputs, (), (axis, sizes))


def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors of equal shape along a new axis. See `concatenate`."""
    parts = _of_one_type("stack", tensors)
    shapes = {part.data.shape for part in parts}
    if len(shapes) != 1:
        raise ShapeError(f"stack: expected tensors of equal shape, got {list(shapes)}")
    try:
        shape = np.expand_dims(parts[0].data, axis).shape
    except (ValueError, TypeError) as error:
        raise ShapeError(f"stack: cannot join along axis {axis!r} ({error})") from None
    return concatenate([reshape(part, shape) for part in parts], axis)


def _pad_backward(node: Node, dy: np.ndarray) -> tuple:
    (inside,) = node.arguments
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
    y.fill(value)
    y[inside] = x.data
    return record(y, _pad_backward, (x._node,), (), (inside,))
