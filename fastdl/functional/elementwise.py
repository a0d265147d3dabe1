"""Arithmetic element by element, and its broadcasting.

An operand that was stretched to the shape of the result receives the sum of the
gradients of its copies.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.shapes import array, broadcast, check_real
from fastdl.typing import ArrayLike, Shape, TensorLike

_CHAIN = 256  # terms that are added up in float32
_LONG = 4096  # terms that are added up in float32, in pairs


def empty_like(x: np.ndarray) -> np.ndarray:
    """Return an array for a result of the shape and type of `x`."""
    return backend.empty(x.shape, x.dtype)


# Operands ----------------------------------------------------------------------------


def as_operand(value: TensorLike, like: Tensor) -> Tensor:
    """Return `value` as a tensor that can meet `like`.

    Numbers, lists and integer arrays take the type of `like`. Arrays of floats keep
    theirs, because a conversion might hide a mistake.
    """
    if isinstance(value, (int, float)):  # often, so without the checks of Tensor()
        return record(np.array(value, like.data.dtype), None, ())
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "f":
        return Tensor(value)
    return Tensor(value, dtype=like.data.dtype)


def operands(
    a: TensorLike, b: TensorLike, operation: str
) -> tuple[Tensor, Tensor, tuple[Shape, Shape], Shape]:
    """Return both operands as tensors of one type, their shapes, and the result's.

    Raises
    ------
    ShapeError
        Neither operand has the shape of the result.
    DtypeError
        One is float32, the other float64.
    """
    if not isinstance(b, Tensor):
        a = as_tensor(a)
        b = as_operand(b, a)
    elif not isinstance(a, Tensor):
        a = as_operand(a, b)
    x, y = a.data, b.data
    if x.dtype is not y.dtype:  # the quick test: mostly a type is one object
        check_real(operation, a=x, b=y)
    shapes = a_shape, b_shape = x.shape, y.shape
    same = a_shape == b_shape
    return a, b, shapes, a_shape if same else broadcast(a_shape, b_shape, operation)


@lru_cache(maxsize=64)
def _ones(count: int, dtype: np.dtype) -> np.ndarray:
    """Return a row of ones."""
    ones = np.ones((1, count), dtype)
    ones.flags.writeable = False
    return ones


def sum_rows(x: np.ndarray) -> np.ndarray:
    """Return the sum of the rows of a matrix: the gradient of a bias."""
    count, size = x.shape
    if size == 1:
        return sum_to(x, (1,))
    # A product is quick, and keeps the digits of long sums.
    short = count <= _LONG  # so many ones are worth keeping
    ones = _ones(count, x.dtype) if short else np.ones((1, count), x.dtype)
    return backend.matmul(ones, x).reshape(size)


def sum_to(dy: np.ndarray, shape: Shape) -> np.ndarray:
    """Return the gradient of an operand of `shape` that was stretched to dy's shape."""
    if dy.shape == shape:
        return dy
    lead = dy.ndim - len(shape)
    size = math.prod(shape)
    if dy.shape[lead:] == shape and size > 1:
        rows = dy.reshape(math.prod(dy.shape[:lead]), size)
        return sum_rows(rows).reshape(shape)
    dx = backend.empty(shape, dy.dtype)
    kept = (1,) * lead + shape
    axes = tuple(i for i, n in enumerate(dy.shape) if kept[i] != n)
    add_up(dy, axes, dx.reshape(kept), keepdims=True)
    return dx


def add_up(x: np.ndarray, axes: Shape, out: np.ndarray, keepdims: bool) -> None:
    """Put the sums over axes into `out`, those of many terms by way of float64.

    NumPy adds in pairs along the last axis of an array, but term by term along the
    others: a long chain, which loses digits in float32.
    """
    count = math.prod(x.shape[i] for i in axes)
    lead = x.shape[: x.ndim - len(axes)]
    if x.flags.c_contiguous and axes == tuple(range(len(lead), x.ndim)):
        if not lead and count > _LONG:  # NumPy 1 loses a digit in pairs as well
            blocks, rest = np.split(x.reshape(count), [count - count % _LONG])
            sums = np.add.reduce(blocks.reshape(-1, _LONG), -1)
            out[...] = np.add.reduce(sums, dtype=np.float64) + np.add.reduce(rest)
        else:
            np.add.reduce(x.reshape(*lead, count), -1, out=out.reshape(lead))
    else:
        dtype = np.float64 if count > _CHAIN else None
        np.add.reduce(x, axes, dtype, out=out, keepdims=keepdims)


# Of two operands ---------------------------------------------------------------------


def _add_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (a_shape, b_shape) = node.inputs, node.arguments
    return sum_to(dy, a_shape) if a else None, sum_to(dy, b_shape) if b else None


def add(a: TensorLike, b: TensorLike) -> Tensor:
    """Return a + b.

    Parameters
    ----------
    a, b : Tensor or array_like
        One of them has the shape of the result, the other may be stretched to it.
        Numbers, lists and integer arrays take the type of the other operand.

    Raises
    ------
    ShapeError
        Neither operand has the shape of the result.
    DtypeError
        One is float32, the other float64.
    """
    a, b, shapes, shape = operands(a, b, "add")
    x, y = a.data, b.data
    if x.shape == y.shape:
        out = backend.add(x, y)
    else:
        out = np.add(x, y, backend.empty(shape, x.dtype))
    return record(out, _add_backward, (a._node, b._node), (), shapes)


def _subtract_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (a_shape, b_shape) = node.inputs, node.arguments
    return (
        sum_to(dy, a_shape) if a else None,
        sum_to(np.negative(dy, empty_like(dy)), b_shape) if b else None,
    )


def subtract(a: TensorLike, b: TensorLike) -> Tensor:
    """Return a - b. See `add`."""
    a, b, shapes, shape = operands(a, b, "subtract")
    x, y = a.data, b.data
    out = np.subtract(x, y, backend.empty(shape, x.dtype))
    return record(out, _subtract_backward, (a._node, b._node), (), shapes)


def _multiply_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (x, _, y, _) = node.inputs, node.saved
    a_shape, b_shape = node.arguments
    return (
        sum_to(np.multiply(dy, y, empty_like(dy)), a_shape) if a else None,
        sum_to(np.multiply(dy, x, empty_like(dy)), b_shape) if b else None,
    )


def multiply(a: TensorLike, b: TensorLike) -> Tensor:
    """Return a * b. See `add`."""
    a, b, shapes, shape = operands(a, b, "multiply")
    x, y = a.data, b.data
    out = np.multiply(x, y, backend.empty(shape, x.dtype))
    saved = (x if b._node else None, a._changed, y if a._node else None, b._changed)
    return record(out, _multiply_backward, (a._node, b._node), saved, shapes)


def _divide_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (x, _, y, _) = node.inputs, node.saved
    a_shape, b_shape = node.arguments
    dx = np.divide(dy, y, empty_like(dy))
    if b is None:
        return sum_to(dx, a_shape), None
    db = np.multiply(dx, x, empty_like(dy))
    db /= y
    np.negative(db, db)
    return sum_to(dx, a_shape) if a else None, sum_to(db, b_shape)


def divide(a: TensorLike, b: TensorLike) -> Tensor:
    """Return a / b. See `add`."""
    a, b, shapes, shape = operands(a, b, "divide")
    x, y = a.data, b.data
    out = np.divide(x, y, backend.empty(shape, x.dtype))
    saved = (x if b._node else None, a._changed, y, b._changed)
    return record(out, _divide_backward, (a._node, b._node), saved, shapes)


def _power_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (x, _, exponent, _) = node.inputs, node.saved
    a_shape, b_shape = node.arguments
    dx = dexponent = None
    if a:
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = exponent * np.power(x, exponent - 1)
        if not exponent.all():  # a constant, even where x ** -1 is infinite
            slope = np.where(exponent == 0, 0, slope)
        dx = sum_to(np.multiply(dy, slope, empty_like(dy)), a_shape)
    if b:
        logarithm = np.log(np.where(x == 0, 1, x))  # 0 ** b stays 0 near any b > 0
        slope = np.multiply(node.result, logarithm, empty_like(dy))
        dexponent = sum_to(np.multiply(dy, slope, slope), b_shape)
    return dx, dexponent


def _constant_power_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (exponent,) = node.saved, node.arguments
    return (backend.power_backward(dy, x, exponent),)


def power(a: TensorLike, b: TensorLike) -> Tensor:
    """Return a ** b; NaN for a negative a unless b is an integer. See `add`."""
    a, b, shapes, shape = operands(a, b, "power")
    x, exponent = a.data, b.data
    if exponent.ndim == 0 and not b._node:  # one number for all
        constant = exponent.item()
        return record(
            backend.power(x, constant),
            _constant_power_backward,
            (a._node,),
            (x, a._changed),
            (constant,),
        )
    y = np.power(x, exponent, backend.empty(shape, x.dtype))
    inputs = a._node, b._node
    saved = (x, a._changed, exponent if a._node else None, b._changed)
    reads_y = b._node is not None
    return record(y, _power_backward, inputs, saved, shapes, reads_y)


def _share(node: Node, dy: np.ndarray, share: np.ndarray) -> tuple:
    """Return the gradients when operand a gets a share of dy and b the rest."""
    (a, b), (a_shape, b_shape) = node.inputs, node.arguments
    da = np.multiply(dy, share, empty_like(dy))
    db = np.subtract(dy, da, empty_like(dy))
    return sum_to(da, a_shape) if a else None, sum_to(db, b_shape) if b else None


def _maximum_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _, y, _ = node.saved
    return _share(node, dy, (x > y) + 0.5 * (x == y))


def maximum(a: TensorLike, b: TensorLike) -> Tensor:
    """Return the larger of a and b; equal ones share the gradient. See `add`."""
    a, b, shapes, shape = operands(a, b, "maximum")
    x, y = a.data, b.data
    out = np.maximum(x, y, out=backend.empty(shape, x.dtype))
    saved = (x, a._changed, y, b._changed)
    return record(out, _maximum_backward, (a._node, b._node), saved, shapes)


def _minimum_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _, y, _ = node.saved
    return _share(node, dy, (x < y) + 0.5 * (x == y))


def minimum(a: TensorLike, b: TensorLike) -> Tensor:
    """Return the smaller of a and b; equal ones share the gradient. See `add`."""
    a, b, shapes, shape = operands(a, b, "minimum")
    x, y = a.data, b.data
    out = np.minimum(x, y, out=backend.empty(shape, x.dtype))
    saved = (x, a._changed, y, b._changed)
    return record(out, _minimum_backward, (a._node, b._node), saved, shapes)


def _where_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (condition, (a_shape, b_shape)) = node.inputs, node.arguments
    return (
        sum_to(np.where(condition, dy, 0), a_shape) if a else None,
        sum_to(np.where(condition, 0, dy), b_shape) if b else None,
    )


def where(condition: ArrayLike, a: TensorLike, b: TensorLike) -> Tensor:
    """Return a where `condition` holds, else b. See `add`.

    Parameters
    ----------
    condition : array_like of bool
        The shape of the result, or one that is stretched to it.
    a, b : Tensor or array_like
        What is chosen from.
    """
    a, b, shapes, shape = operands(a, b, "where")
    condition = array(condition, "where: condition").astype(bool)
    shape = broadcast(shape, condition.shape, "where")
    out = np.where(condition, a.data, b.data)
    return record(out, _where_backward, (a._node, b._node), (), (condition, shapes))
