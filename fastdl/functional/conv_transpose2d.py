"""The transposed convolution: the gradient of a convolution, forward.

Its passes are those of `conv2d` with the roles exchanged. So it needs no kernel of its
own, and its weights lie as in the convolution whose gradient it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl import backend, shapes
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.functional.activation import activation as activate
from fastdl.functional.elementwise import sum_to
from fastdl.shapes import activation_row, check_real, check_shape
from fastdl.typing import PaddingLike, PairLike, TensorLike

_GEOMETRY = ("stride", "padding", "dilation", "groups", "algorithm")


def _conv_transpose2d_backward(node: Node, dy: np.ndarray) -> tuple:
    x_node, weight_node, bias_node = node.inputs
    x, _, weight, _ = node.saved
    kernel_size, values = node.arguments
    geometry = dict(zip(_GEOMETRY, values, strict=True))
    dx = dweight = dbias = None
    if x_node:
        dx = backend.conv2d_forward(dy, weight, **geometry)
    if weight_node:
        dweight, _ = backend.conv2d_backward_weight(
            x, dy, kernel_size, with_bias=False, **geometry
        )
    if bias_node:
        dbias = sum_to(dy, dy.shape[-1:])
    return dx, dweight, dbias


def _add_bias(y: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return y + bias, as a batch norm of mean 0 and variance 1 does on all threads."""
    one, zero = np.ones_like(bias), np.zeros_like(bias)
    return backend.batchnorm_inference(y, one, bias, zero, one, eps=0)


def conv_transpose2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: PairLike = 1,
    padding: PaddingLike = 0,
    output_padding: PairLike = 0,
    groups: int = 1,
    dilation: PairLike = 1,
    activation: str | None = None,
    algorithm: str | None = None,
) -> Tensor:
    """Spread each pixel over a window, weighted by a filter, and add windows up.

    It is the gradient of `conv2d` with respect to the images, by the same filters, as a
    layer: with stride 2 images become twice as large (Dumoulin and Visin 2016, chapter
    4).

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c).
    weight : Tensor
        (kh, kw, oc / groups, c): the filters of the convolution from the result to x.
        PyTorch has (c, oc / groups, kh, kw): give weight.transpose(2, 3, 1, 0).
    bias : Tensor, optional
        (oc,).
    stride, dilation : int or pair of int
        Steps between the windows of neighbouring pixels, and between the pixels of a
        window.
    padding : int, pair or pair of pairs
        Pixels that are cut off at the edges of the result.
    output_padding : int or pair of int
        Rows and columns more at the bottom and right, below the stride: sizes that the
        convolution does not tell apart.
    groups : int
        Divides c and oc.
    activation : str, optional
        One of ``fastdl.shapes.ACTIVATIONS``.
    algorithm : str, optional
        As in `conv2d`.

    Returns
    -------
    Tensor
        (n, oh, ow, oc), with oh = (h - 1) * stride - top - bottom + window +
        output_padding and window = dilation * (kh - 1) + 1.

    Raises
    ------
    ShapeError
        The sizes do not fit.
    DtypeError
        The types differ.
    ArgumentError
        For an unknown activation.
    """
    operation = "conv_transpose2d"
    x, weight = as_tensor(x), as_tensor(weight)
    images, filters = x.data, weight.data
    if images.dtype is not filters.dtype:
        check_real(operation, x=images, weight=filters)
    result_shape = shapes.conv_transpose2d(
        images.shape, filters.shape, stride, padding, output_padding, dilation, groups
    )
    if activation is not None:
        activation_row(activation, operation)
    values = (stride, padding, dilation, groups, algorithm)
    geometry: dict[str, Any] = dict(zip(_GEOMETRY, values, strict=True))
    y = backend.conv2d_backward_input(images, filters, result_shape, **geometry)
    bias_node = None
    if bias is not None:
        bias = as_tensor(bias)
        check_real(operation, x=images, bias=bias.data)
        check_shape(operation, "bias", bias.data.shape, result_shape[-1:])
        y, bias_node = _add_bias(y, bias.data), bias._node
    result = record(
        y,
        _conv_transpose2d_backward,
        (x._node, weight._node, bias_node),
        (
            images if weight._node else None,
            x._changed,
            filters if x._node else None,
            weight._changed,
        ),
        (filters.shape[:2], values),
    )
    return activate(result, activation)
