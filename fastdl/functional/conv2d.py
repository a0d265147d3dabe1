"""Convolution of images, with the gradients that are needed and no others."""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.functional.activation import activation as activate
from fastdl.functional.activation import split
from fastdl.functional.elementwise import sum_to
from fastdl.shapes import check_real
from fastdl.typing import PaddingLike, PairLike, TensorLike

_GEOMETRY = ("stride", "padding", "dilation", "groups", "algorithm")


def _flipped(filters: np.ndarray) -> np.ndarray:
    """Return filters turned by half a turn; other shapes are refused by the kernels."""
    axes = tuple(range(min(2, filters.ndim)))
    return np.ascontiguousarray(np.flip(filters, axes))


def _conv2d_backward(node: Node, dy: np.ndarray) -> tuple:
    x_node, weight_node, bias_node = node.inputs
    x, _, weight, _ = node.saved
    activation, x_shape, weight_shape, values, flip = node.arguments
    geometry = dict(zip(_GEOMETRY, values, strict=True))
    dz = dy
    if activation is not None:
        dz = backend.activation_backward(dy, None, node.result, activation)
    dx = dweight = dbias = None
    if x_node:
        filters = _flipped(weight) if flip else weight
        dx = backend.conv2d_backward_input(dz, filters, x_shape, **geometry)
    if weight_node:
        dweight, dbias = backend.conv2d_backward_weight(
            dz, x, weight_shape[:2], with_bias=bias_node is not None, **geometry
        )
        if flip:
            dweight = _flipped(dweight)
    elif bias_node:
        dbias = sum_to(dz, dz.shape[-1:])
    return dx, dweight, dbias


def conv2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: PairLike = 1,
    padding: PaddingLike = 0,
    dilation: PairLike = 1,
    groups: int = 1,
    activation: str | None = None,
    algorithm: str | None = None,
    flip: bool = False,
) -> Tensor:
    """Convolve images with filters (cross-correlation, as usual in the field).

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c).
    weight : Tensor
        (kh, kw, c / groups, oc).
    bias : Tensor, optional
        (oc,).
    stride, dilation : int or pair of int
        Both directions, or (vertical, horizontal).
    padding : int, pair, pair of pairs or str
        All sides; (vertical, horizontal); ((top, bottom), (left, right)); "same" for
        ceil(size / stride) pixels of output; "valid" for none.
    groups : int
        Divides c and oc; c for a depthwise convolution.
    activation : str, optional
        One of ``fastdl.shapes.ACTIVATIONS``; part of the same kernel call where it is
        fusable.
    algorithm : str, optional
        "auto", "direct" or "winograd"; by default the one of
        ``fastdl.set_conv_algorithm``. Of all three passes.
    flip : bool
        Whether to turn the filters upside down and left to right first: the convolution
        of mathematics and signal processing, as ``scipy.signal.convolve`` computes it.

    Returns
    -------
    Tensor
        (n, oh, ow, oc), with oh = floor((h + top + bottom - window) / stride) + 1 and
        window = dilation * (kh - 1) + 1.

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
    images, filters = x.data, weight.data
    b = bias_node = None
    if bias is not None:
        bias = as_tensor(bias)
        b, bias_node = bias.data, bias._node
    fused, after = split(activation, "conv2d")
    if images.dtype is not filters.dtype:
        check_real("conv2d", x=images, weight=filters)
    y = backend.conv2d_forward(
        images,
        _flipped(filters) if flip else filters,
        b,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        activation=fused,
        algorithm=algorithm,
    )
    result = record(
        y,
        _conv2d_backward,
        (x._node, weight._node, bias_node),
        (
            images if weight._node else None,
            x._changed,
            filters if x._node else None,
            weight._changed,
        ),
        (
            fused,
            images.shape,
            filters.shape,
            (stride, padding, dilation, groups, algorithm),
            flip,
        ),
        saves_result=fused is not None,
    )
    return result if after is None else activate(result, after)
