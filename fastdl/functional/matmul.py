"""Products of matrices, and the dense layer that is made of one.

With Y = g(X W + b) and dZ the gradient at the argument of g:
dX = dZ W^T, dW = X^T dZ, and db is the sum of dZ over the examples.
"""

from __future__ import annotations

import math

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ShapeError
from fastdl.functional.activation import activation as activate
from fastdl.functional.activation import split
from fastdl.functional.elementwise import sum_rows, sum_to
from fastdl.functional.shaping import reshape
from fastdl.shapes import check_real, stacks
from fastdl.typing import Shape, TensorLike

# Products ----------------------------------------------------------------------------


def _matmul_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (x, _, y, _) = node.inputs, node.saved
    if dy.ndim > 2:
        (a_shape, b_shape), stack = node.arguments, dy.shape[:-2]
        return (
            sum_to(_products(dy, y, stack, transpose="b"), a_shape) if a else None,
            sum_to(_products(x, dy, stack, transpose="a"), b_shape) if b else None,
        )
    return (
        backend.matmul(dy, y, transpose_b=True) if a else None,
        backend.matmul(x, dy, transpose_a=True) if b else None,
    )


def matmul(a: TensorLike, b: TensorLike) -> Tensor:
    """Return the product of matrices, or of stacks of matrices, ``a @ b``.

    The rules are NumPy's: the axes before the last two are a stack, whose products are
    those of its matrices; where its sizes are missing or 1 in an operand, its matrices
    are used again. A vector ``a`` is a row, a vector ``b`` a column, and has no axis in
    the result.

    Parameters
    ----------
    a, b : Tensor or array_like
        (..., m, k) and (..., k, n), of one type.

    Returns
    -------
    Tensor
        (..., m, n).

    Raises
    ------
    ShapeError
        An operand is a single number, or the inner sizes or the stacks differ.
    DtypeError
        One is float32, the other float64.
    """
    a, b = as_tensor(a), as_tensor(b)
    x, y = a.data, b.data
    if x.dtype is not y.dtype:
        check_real("matmul", a=x, b=y)
    if x.ndim == y.ndim == 2:
        product = backend.matmul(x, y)
    else:
        shape = stacks(x.shape, y.shape, "matmul")
        if x.ndim == 1 or y.ndim == 1:
            row = reshape(a, 1, x.size) if x.ndim == 1 else a
            column = reshape(b, y.size, 1) if y.ndim == 1 else b
            return reshape(matmul(row, column), shape)
        if y.ndim == 2:  # all rows at once
            return linear(a, b)
        product = _products(x, y, shape[:-2])
    inputs, shapes = (a._node, b._node), (x.shape, y.shape)
    saved = (x if b._node else None, a._changed, y if a._node else None, b._changed)
    return record(product, _matmul_backward, inputs, saved, shapes)


def _in_row(x: np.ndarray, stack: Shape) -> np.ndarray:
    """Return x as one stack (s, m, n), or as the one matrix for all of it."""
    *own, m, n = x.shape
    if math.prod(own) == 1:
        return x.reshape(m, n)
    return np.broadcast_to(x, (*stack, m, n)).reshape(math.prod(stack), m, n)


def _products(
    a: np.ndarray, b: np.ndarray, stack: Shape, *, transpose: str = ""
) -> np.ndarray:
    """Return the products of a stack, after transposing the matrices of "a" or "b"."""
    a, b = _in_row(a, stack), _in_row(b, stack)
    multiply = backend.matmul if a.ndim == b.ndim == 2 else backend.stacked_matmul
    y = multiply(a, b, transpose_a=transpose == "a", transpose_b=transpose == "b")
    return y.reshape(*stack, *y.shape[-2:])


# The dense layer ---------------------------------------------------------------------


def _rows(x: np.ndarray) -> np.ndarray:
    """Return examples of any number of axes as the rows of a matrix."""
    *examples, features = x.shape
    return x.reshape(math.prod(examples), features)


def _linear_backward(node: Node, dy: np.ndarray) -> tuple:
    x_node, weight_node, bias_node = node.inputs
    (x, _, weight, _), (activation, x_shape) = node.saved, node.arguments
    if activation is not None:
        dy = backend.activation_backward(dy, None, node.result, activation)
    is_matrix = len(x_shape) == 2
    dz = dy if is_matrix else _rows(dy)
    dx = dweight = dbias = None
    if x_node:
        dx = backend.matmul(dz, weight, transpose_b=True)
        dx = dx if is_matrix else dx.reshape(x_shape)
    if weight_node:
        rows = x if is_matrix else _rows(x)
        dweight = backend.matmul(rows, dz, transpose_a=True)
    if bias_node:
        dbias = sum_rows(dz)
    return dx, dweight, dbias


def linear(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    activation: str | None = None,
) -> Tensor:
    """Apply a dense layer: ``activation(x @ weight + bias)``.

    Parameters
    ----------
    x : Tensor or array_like
        (..., in): examples in rows.
    weight : Tensor
        (in, out).
    bias : Tensor, optional
        (out,).
    activation : str, optional
        One of ``fastdl.shapes.ACTIVATIONS``; part of the same kernel call where it is
        fusable.

    Returns
    -------
    Tensor
        (..., out).

    Raises
    ------
    ShapeError
        The sizes do not fit.
    DtypeError
        The types differ.
    ArgumentError
        For an unknown activation.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    data, w = x.data, weight.data
    b = bias_node = None
    if bias is not None:
        bias = as_tensor(bias)
        b, bias_node = bias.data, bias._node
    fused, after = split(activation, "linear")
    if data.dtype is not w.dtype:
        check_real("linear", x=data, weight=w)

    shape = data.shape
    is_matrix = len(shape) == 2
    if shape[-1:] != w.shape[:1]:
        hint = (
            "use x.reshape(len(x), -1) (Flatten) for images, x.reshape(-1, 1) for "
            "single numbers"
        )
        if is_matrix and w.ndim == 2:
            k, n = shape[1], w.shape[1]
            hint = f"nn.Linear({k}, {n}), or None in place of {k}, takes it"
        raise ShapeError(
            f"linear: x of shape {shape} does not end in the inputs of weight of "
            f"shape {w.shape}; {hint}"
        )
    y = backend.matmul(data if is_matrix else _rows(data), w, b, activation=fused)

    result = record(
        y if is_matrix else y.reshape(*shape[:-1], y.shape[1]),
        _linear_backward,
        (x._node, weight._node, bias_node),
        (
            data if weight._node else None,
            x._changed,
            w if x._node else None,
            weight._changed,
        ),
        (fused, shape),
        saves_result=fused is not None,
    )
    return result if after is None else activate(result, after)
