"""Axes and sizes of the operations on whole arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest

from fastdl.errors import ShapeError
from fastdl.shapes.arguments import check_elements, integer
from fastdl.typing import Axis, Shape


def axes(axis: Axis, shape: Shape, operation: str) -> Shape:
    """Return one axis, several, or all (None) as rising numbers >= 0.

    Raises
    ------
    ShapeError
        There is no such axis, or one is named twice.
    """
    ndim = len(shape)
    listed: Sequence[int] = range(ndim)
    if axis is not None:
        listed = axis if isinstance(axis, (tuple, list)) else (axis,)
    try:
        found = {i + ndim if i < 0 else i for i in map(operator.index, listed)}
    except TypeError:
        found = set()
    if len(found) != len(listed) or not found.issubset(range(ndim)):
        raise ShapeError(
            f"{operation}: expected axes from {-ndim} to {ndim - 1}, each once, for an "
            f"array of shape {shape}, got axis={axis}"
        )
    return tuple(sorted(found))


def one_axis(axis: int, shape: Shape, operation: str) -> int:
    """Return an axis as a number >= 0; ShapeError when there is no such axis."""
    ndim = len(shape)
    try:
        found = operator.index(axis)
    except TypeError:
        found = ndim
    if not -ndim <= found < ndim:
        raise ShapeError(
            f"{operation}: expected one axis from {-ndim} to {ndim - 1} for an array "
            f"of shape {shape}, got axis={axis!r}"
        )
    return found % ndim


@lru_cache(maxsize=1024)
def matmul(
    a_shape: Shape,
    b_shape: Shape,
    bias_shape: Shape | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    operation: str = "matmul",
) -> tuple[int, int, int]:
    """Return (m, k, n) of the product (m, k) x (k, n), after checking the shapes.

    Parameters
    ----------
    a_shape, b_shape
        Shapes as stored: (m, k) and (k, n), or (k, m) and (n, k) when transposed.
    bias_shape
        (n,) or None.
    transpose_a, transpose_b
        Whether the operand is transposed before the product.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When a rank or a size does not fit, or the product would be larger than any
        memory.
    """
    for name, shape in (("a", a_shape), ("b", b_shape)):
        if len(shape) != 2:
            hint = "; use x.reshape(len(x), -1) (Flatten)" if len(shape) > 2 else ""
            raise ShapeError(
                f"{operation}: expected {name} with 2 axes, got shape {shape}{hint}"
            )
    m, k = a_shape[::-1] if transpose_a else a_shape
    inner, n = b_shape[::-1] if transpose_b else b_shape
    if k != inner:
        of_a = " transposed" if transpose_a else ""
        of_b = " transposed" if transpose_b else ""
        hint = ""
        if k == n:
            hint = "; dense weights are stored (in, out): transpose b"
        raise ShapeError(
            f"{operation}: a of shape {a_shape}{of_a} has {k} columns, but b of shape "
            f"{b_shape}{of_b} has {inner} rows{hint}"
        )
    if bias_shape is not None and bias_shape != (n,):
        hint = ""
        if len(bias_shape) == 2 and n == bias_shape[0] * bias_shape[1]:
            hint = "; use bias.reshape(-1)"
        raise ShapeError(
            f"{operation}: expected bias of shape ({n},), got {bias_shape}{hint}"
        )
    check_elements(operation, "the product", (m, n))
    return m, k, n


@lru_cache(maxsize=1024)
def stacked_matmul(
    a_shape: Shape, b_shape: Shape, transpose_a: bool, transpose_b: bool
) -> tuple[int, int, int, int]:
    """Return (s, m, k, n) of the products (s, m, k) x (s, k, n).

    Raises
    ------
    ShapeError
        The matrices do not fit, the stacks differ, or there is none.
    """
    lead = {shape[:-2] for shape in (a_shape, b_shape) if len(shape) > 2}
    if len(lead) != 1 or len(s := lead.pop()) != 1:
        raise ShapeError(
            f"stacked_matmul: expected (s, m, k) and (s, k, n), or one of them without "
            f"s, got {a_shape} and {b_shape}"
        )
    m, k, n = matmul(
        a_shape[-2:], b_shape[-2:], None, transpose_a, transpose_b, "stacked_matmul"
    )
    check_elements("stacked_matmul", "the products", (*s, m, n))
    return s[0], m, k, n


@lru_cache(maxsize=1024)
def stacks(a_shape: Shape, b_shape: Shape, operation: str) -> Shape:
    """Return the shape of a product (..., m, k) x (..., k, n), after checking both.

    The axes before the last two may be stretched; a vector is a row or a column, and
    has no axis in the result.

    Raises
    ------
    ShapeError
        An operand has no axis; the sizes do not fit; the product is too large.
    """
    if not a_shape or not b_shape:
        raise ShapeError(
            f"{operation}: expected vectors, matrices or stacks of them, got shapes "
            f"{a_shape} and {b_shape}; * multiplies by a number"
        )
    a, b = a_shape, b_shape
    a, rows = ((1, *a), ()) if len(a) == 1 else (a, a[-2:-1])
    b, columns = ((*b, 1), ()) if len(b) == 1 else (b, b[-1:])
    reversed_pairs = zip_longest(a[-3::-1], b[-3::-1], fillvalue=1)
    pairs = [*reversed_pairs][::-1]
    if a[-1] != b[-2] or any(p != q and 1 not in (p, q) for p, q in pairs):
        raise ShapeError(
            f"{operation}: expected (..., m, k) and (..., k, n) whose other axes are "
            f"equal, 1 or missing, got {a_shape} and {b_shape}"
        )
    shape = (*(q if p == 1 else p for p, q in pairs), *rows, *columns)
    check_elements(operation, "the result", shape)
    return shape


@lru_cache(maxsize=1024)
def broadcast(shape_a: Shape, shape_b: Shape, operation: str) -> Shape:
    """Return the common shape of two operands.

    Only one of the two may be stretched: (m, n) with (n,) is a bias, while (n,) with
    (n, 1) would give (n, n), which is nearly always a mistake.

    Raises
    ------
    ShapeError
        When the shapes do not fit, or neither has the shape of the result.
    """
    sizes = zip_longest(reversed(shape_a), reversed(shape_b), fillvalue=1)
    result = tuple(b if a == 1 else a for a, b in sizes)[::-1]
    fits = all(
        size in (1, full)
        for shape in (shape_a, shape_b)
        for size, full in zip(reversed(shape), reversed(result), strict=False)
    )
    if not fits:
        raise ShapeError(f"{operation}: shapes {shape_a} and {shape_b} do not fit")
    if result not in (shape_a, shape_b):
        raise ShapeError(
            f"{operation}: shapes {shape_a} and {shape_b} would both be stretched to "
            f"{result}; reshape one of them, or use broadcast_to when you mean it"
        )
    return result


def layernorm(x_shape: Shape, groups: int, operation: str) -> tuple[int, int, int, int]:
    """Return (n, pixels, groups, channels of a group) of x (n, ..., c).

    Raises
    ------
    ShapeError
        When the groups do not divide the channels, or have nothing to average.
    """
    groups = integer(groups, f"{operation}: num_groups")
    if len(x_shape) < 2 or 0 in x_shape[1:] or x_shape[-1] % groups:
        raise ShapeError(
            f"{operation}: expected x of shape (n, ..., c) with c divisible by the "
            f"{groups} groups, got {x_shape}"
        )
    n, *pixels, c = x_shape
    return n, math.prod(pixels), groups, c // groups


def prelu(x_shape: Shape, weight_shape: Shape, operation: str) -> None:
    """Check the weights (c,) or (1,) of x (..., c).

    Raises
    ------
    ShapeError
        When they are not as many as the channels.
    """
    channels = x_shape[-1:]
    if weight_shape not in ((1,), channels) or weight_shape in ((), (0,)):
        raise ShapeError(
            f"{operation}: expected weight of shape (1,), or {channels} for the "
            f"channels of x of shape {x_shape}, got {weight_shape}"
        )
