"""Joining tensors, and splitting them up again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ShapeError
from fastdl.functional.indexing import index
from fastdl.functional.shaping import expand_dims
from fastdl.shapes import check_real, integer, one_axis
from fastdl.typing import TensorLike

_SMALL = 65536  # bytes that NumPy joins as fast


def _of_one_type(operation: str, tensors: Sequence[TensorLike]) -> list[Tensor]:
    parts = [as_tensor(tensor) for tensor in tensors]
    if len({part.data.dtype for part in parts}) > 1:
        arrays = {f"tensors[{i}]": part.data for i, part in enumerate(parts)}
        check_real(operation, **arrays)
    return parts


def _cut(x: np.ndarray, sizes: Sequence[int], axis: int) -> list[np.ndarray]:
    """Return views of the parts of x that have these sizes along an axis."""
    lead = (slice(None),) * axis
    return [
        x[(*lead, slice(end - size, end))]
        for size, end in zip(sizes, accumulate(sizes), strict=True)
    ]


def _concatenate_backward(node: Node, dy: np.ndarray) -> tuple:
    axis, sizes = node.arguments
    return tuple(_cut(dy, sizes, axis))


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
    shape = list(arrays[0].shape) if arrays else []
    axis = one_axis(axis, tuple(shape), "concatenate") if shape else 0
    sizes = [x.shape[axis] if x.ndim > axis else 0 for x in arrays]
    if not shape or any(
        list(x.shape) != [*shape[:axis], size, *shape[axis + 1 :]]
        for x, size in zip(arrays, sizes, strict=True)
    ):
        given = ", ".join(str(x.shape) for x in arrays) or "nothing"
        raise ShapeError(
            f"concatenate: cannot join {given} along axis {axis}: expected at least "
            f"one tensor, and equal sizes along all other axes"
        )
    shape[axis] = sum(sizes)
    y = backend.empty(shape, arrays[0].dtype)
    if y.nbytes < _SMALL:
        np.concatenate(arrays, axis, y)
    else:
        for x, room in zip(arrays, _cut(y, sizes, axis), strict=True):
            backend.copy(x, room)
    inputs = tuple(part._node for part in parts)
    return record(y, _concatenate_backward, inputs, (), (axis, sizes))


def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors of equal shape along a new axis. See `concatenate`."""
    parts = _of_one_type("stack", tensors)
    shapes = {part.data.shape for part in parts}
    if len(shapes) != 1:
        raise ShapeError(f"stack: expected tensors of equal shape, got {list(shapes)}")
    axis = one_axis(axis, (len(parts), *shapes.pop()), "stack")
    return concatenate([expand_dims(part, axis) for part in parts], axis)


def split(
    x: TensorLike, sizes: int | Sequence[int], axis: int = 0
) -> tuple[Tensor, ...]:
    """Cut a tensor into parts along an axis; views of `x`.

    Parameters
    ----------
    x : Tensor or array_like
    sizes : int or sequence of int
        The size of each part, the last one taking what is left, or the sizes of all.
        As in PyTorch: numpy.split takes the number of parts, or where to cut.
    axis : int

    Returns
    -------
    tuple of Tensor

    Raises
    ------
    ShapeError
        `axis` is not an axis of `x`; a size is no integer >= 0, or that of all parts
        is 0; the sizes do not add up to that of the axis.
    """
    x = as_tensor(x)
    axis = one_axis(axis, x.data.shape, "split")
    whole = x.data.shape[axis]
    if isinstance(sizes, (tuple, list)):
        listed = [integer(size, "split: a size", 0) for size in sizes]
    else:
        size = integer(sizes, "split: the size of a part")
        listed = [min(size, whole - start) for start in range(0, max(whole, 1), size)]
    if sum(listed) != whole:
        raise ShapeError(
            f"split: expected sizes that add up to {whole}, the size of axis {axis} of "
            f"shape {x.data.shape}, got {sizes}"
        )
    ends = np.cumsum([0, *listed]).tolist()
    lead = (slice(None),) * axis
    return tuple(index(x, (*lead, slice(*part))) for part in pairwise(ends))
