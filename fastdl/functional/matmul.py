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
from fastdl.functional.elementwise import sum_rows
from fastdl.shapes import check_real
from fastdl.typing import TensorLike


def _matmul_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (x, _, y, _) = node.inputs, node.saved
    return (
        backend.matmul(dy, y, transpose_b=True) if a else None,
        backend.matmul(x, dy, transpose_a=True) if b else None,
    )


def matmul(a: TensorLike, b: TensorLike) -> Tensor:
    """Return the product of two matrices, ``a @ b``.

    Parameters
    ----------
    a, b : Tensor or array_like
        (m, k) and (k, n), of one type.

    Returns
    -------
    Tensor
        (m, n).

    Raises
    ------
    ShapeError
        An operand is no matrix, or the inner sizes differ.
    DtypeError
        One is float32, the other float64.
    """
    a, b = as_tensor(a), as_tensor(b)
    x, y = a.data, b.data
    if x.dtype is not y.dtype:
        check_real("matmul", a=x, b=y)
    saved = (x if b._node else None, a._changed, y if a._node else None, b._changed)
    return record(backend.matmul(x, y), _matmul_backward, (a._node, b._node), saved)


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
    if not is_matrix and shape[-1:] != w.shape[:1]:
        raise ShapeError(
            f"linear: x of shape {shape} does not end in the inputs of weight of "
            f"shape {w.shape}; use x.reshape(len(x), -1) (Flatten) for "
            "images, x.reshape(-1, 1) for single numbers"
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
