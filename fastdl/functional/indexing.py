"""Choosing elements.

One that was taken several times receives the sum of the gradients of its copies, added
in the order of the copies. Indexing with slices returns views.
"""

from __future__ import annotations

from types import EllipsisType
from typing import SupportsIndex, TypeAlias

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.functional.shaping import record_view
from fastdl.shapes import array, one_axis
from fastdl.typing import ArrayLike, Shape, TensorLike

_Key: TypeAlias = "SupportsIndex | slice | EllipsisType | ArrayLike | None"
Key: TypeAlias = "_Key | tuple[_Key, ...]"
"""What NumPy takes between brackets."""


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


def _along_one_axis(key: object, shape: Shape) -> tuple[int, np.ndarray] | None:
    """Return axis and indices, if a key has them for one axis and takes all others."""
    parts = key if isinstance(key, tuple) else (key,)
    chosen = [
        (axis, part)
        for axis, part in enumerate(parts)
        if not (isinstance(part, slice) and part == slice(None))
    ]
    if len(chosen) != 1:
        return None
    axis, part = chosen[0]
    indices = np.asarray(part)
    if indices.dtype == bool:
        return (axis, np.flatnonzero(indices)) if indices.ndim == 1 else None
    if indices.dtype.kind not in "iu":  # an ellipsis, or a new axis
        return None
    return axis, np.where(indices < 0, indices + shape[axis], indices).ravel()


def _index_backward(node: Node, dy: np.ndarray) -> tuple:
    key, shape = node.arguments
    if _is_basic(key):
        dx = backend.zeros(shape, dy.dtype)
        dx[key] = dy
        return (dx,)
    taken = _along_one_axis(key, shape)
    if taken is None:
        dx = backend.zeros(shape, dy.dtype)
        np.add.at(dx, key, dy)
        return (dx,)
    axis, indices = taken
    dy = dy.reshape(*shape[:axis], len(indices), *shape[axis + 1 :])
    return (backend.gather_backward(dy, indices, shape[axis], axis),)


def index(x: TensorLike, key: Key) -> Tensor:
    """Return ``x[key]``; `key` is all that NumPy takes: slices, integers, arrays."""
    x = as_tensor(x)
    y = x.data[key]  # type: ignore[index]  # NumPy's types leave out lists
    arguments = (key, x.data.shape)
    if not _is_basic(key):
        return record(np.asarray(y), _index_backward, (x._node,), (), arguments)
    if not isinstance(y, np.ndarray):  # one number; with an ellipsis a view of it
        y = x.data[(*key, ...) if isinstance(key, tuple) else (key, ...)]
    return record_view(x, y, _index_backward, arguments)


def take_along_axis(x: TensorLike, indices: ArrayLike, axis: int) -> Tensor:
    """Take an element along an axis for each index; PyTorch's take_along_dim.

    ``take_along_axis(x, argmax(x, 1, keepdims=True), 1)`` are the largest elements.

    Parameters
    ----------
    x : Tensor or array_like
        (..., k, ...), k along `axis`.
    indices : array_like of int
        In [-k, k); as many axes as `x`, and the same sizes along all others (or 1,
        which is stretched).
    axis : int
        NumPy flattens `x` when it is not given; here it must be.

    Returns
    -------
    Tensor
        The shape of `indices`.

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`, or the shapes do not fit.
    DtypeError
        `indices` are no integers.
    ArgumentError
        An index is out of range.
    """
    x = as_tensor(x)
    shape = x.data.shape
    axis = one_axis(axis, shape, "take_along_axis")
    indices = array(indices, "take_along_axis: indices")
    if indices.dtype.kind not in "iu":
        raise DtypeError(
            f"take_along_axis: expected integers as indices, got {indices.dtype}"
        )
    others = list(indices.shape)
    if indices.ndim == len(shape):
        others[axis] = shape[axis]
    if indices.ndim != len(shape) or not all(
        size in (1, full) for size, full in zip(others, shape, strict=True)
    ):
        raise ShapeError(
            f"take_along_axis: expected indices of the shape of x, {shape}, but for "
            f"axis {axis}, got {indices.shape}"
        )
    k = shape[axis]
    if indices.size and not (-k <= indices.min() and indices.max() < k):
        raise ArgumentError(
            f"take_along_axis: expected indices from {-k} to {k - 1} along axis {axis} "
            f"of shape {shape}, got {indices.min()} to {indices.max()}"
        )
    places: list[np.ndarray] = list(np.ogrid[tuple(slice(size) for size in shape)])
    places[axis] = indices
    return index(x, tuple(places))
