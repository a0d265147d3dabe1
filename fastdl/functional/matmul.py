"""Products of matrices, and the dense layer that is made of one.

With Y = g(X W + b) and dZ the gradient at the argument of g:
dX = dZ W^T, dW = X^T dZ, and db is the sum of dZ over the examples.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ShapeError
from fastdl.functional.activation import activation as activate
from fastdl.functional.activation import split
from fastdl.functional.elementwise import sum_to
from fastdl.shapes import check_real


def _matmul_backward(node: Node, dy: np.ndarray) -> tuple:
    (a, b), (x, y) = node.inputs, node.saved
    return (
        backend.matmul(dy, y, transpose_b=True) if a else None,
        backend.matmul(x, dy, transpose_a=True) if b else None,
    )


def matmul(a: Any, b: Any) -> Tensor:
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
    saved = (x if b._node else None, y if a._node else None)
    inputs, watched = (a._node, b._node), (a._changed, b._changed)
    return record(backend.matmul(x, y), _matmul_backward, inputs, saved, watched)


def _linear_backward(node: Node, dy: np.ndarray) -> tuple:
    x_node, weight_node, bias_node = node.inputs
    x, weight, y, activation, x_shape = node.saved
    dz = dy.reshape(math.prod(x_shape[:-1]), dy.shape[-1])
    if activation is not None:
        dz = backend.activation_backward(dz, None, y, activation)
    dx = dweight = dbias = None
    if x_node:
        dx = backend.matmul(dz, weight, transpose_b=True).reshape(x_shape)
    if weight_node:
        dweight = backend.matmul(x, dz, transpose_a=True)
    if bias_node:
        dbias = sum_to(dz, dz.shape[1:])
    return dx, dweight, dbias


def linear(
    x: Any, weight: Any, bias: Any = None, activation: str | None = None
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
        One of ``fastdl.shapes.ACTIVATIONS``; part of the same kernel call for those
        in ``fastdl.functional.activation.FUSED``.

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
    b = bias_node = None
    if bias is not None:
        bias = as_tensor(bias)
        b, bias_node = bias.data, bias._node
    fused, after = split(activation, "linear")
    if x.data.dtype is not weight.data.dtype:
        check_real("linear", x=x.data, weight=weight.data)

    rows, shape = x.data, x.data.shape
    if len(shape) != 2:
        if shape[-1:] != weight.data.shape[:1]:
            raise ShapeError(
                f"linear: x of shape {shape} does not end in the inputs of weight of "
                f"shape {weight.data.shape}; use x.reshape(len(x), -1) (Flatten) for "
                "images, x.reshape(-1, 1) for single numbers"
            )
        rows = rows.reshape(math.prod(shape[:-1]), shape[-1])
    y = backend.matmul(rows, weight.data, b, activation=fused)

    saved = (
        rows if weight._node else None,
        weight.data if x._node else None,
        y if fused else None,
        fused,
        shape,
    )
    result = record(
        y if len(shape) == 2 else y.reshape(*shape[:-1], y.shape[1]),
        _linear_backward,
        (x._node, weight._node, bias_node),
        saved,
        (x._changed, weight._changed),
        keeps_output=fused is not None,
    )
    return result if after is None else activate(result, after)
