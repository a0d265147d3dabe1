"""Operators of ONNX on pictures, and the norms, computed by fastdl's operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.interop.onnx.run import PICTURES, Laid, Operand, Operator, Run, laid

FILTERS = (2, 3, 1, 0)  # which axis in ONNX each of (kh, kw, c, oc) is


def _picture(op: Operator, x: Laid) -> Tensor:
    if x.rank != 4:
        raise op.refuse(f"{x.rank} axes")
    return x.along(PICTURES)


def _windows(op: Operator) -> dict[str, Any]:
    """Return the stride and the padding of the windows of a picture."""
    auto = op.attributes.get("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID", "SAME_UPPER"):
        raise op.refuse(f"auto_pad={auto}")
    top, left, bottom, right = op.attributes.get("pads", [0, 0, 0, 0])
    padding: Any = ((top, bottom), (left, right))
    if auto != "NOTSET":
        padding = "valid" if auto == "VALID" else "same"
    return {"stride": tuple(op.attributes.get("strides", [1, 1])), "padding": padding}


# Convolution -------------------------------------------------------------------------


def _conv(op: Operator, x: Laid, weight: Laid, bias: Laid | None = None) -> Laid:
    y = F.conv2d(
        _picture(op, x),
        weight.along(FILTERS),
        None if bias is None else bias.natural,
        dilation=tuple(op.attributes.get("dilations", [1, 1])),
        groups=op.attributes.get("group", 1),
        **_windows(op),
    )
    return Laid(y, PICTURES)


def _conv_transpose(
    op: Operator, x: Laid, weight: Laid, bias: Laid | None = None
) -> Laid:
    if op.attributes.get("auto_pad", "NOTSET") != "NOTSET" or op.attributes.get(
        "output_shape"
    ):
        raise op.refuse("auto_pad or output_shape")
    y = F.conv_transpose2d(
        _picture(op, x),
        weight.along(FILTERS),
        None if bias is None else bias.natural,
        output_padding=tuple(op.attributes.get("output_padding", [0, 0])),
        groups=op.attributes.get("group", 1),
        dilation=tuple(op.attributes.get("dilations", [1, 1])),
        **_windows(op),
    )
    return Laid(y, PICTURES)


# Pooling and resizing ----------------------------------------------------------------


def _pool_options(op: Operator) -> dict[str, Any]:
    if any(step != 1 for step in op.attributes.get("dilations", [])):
        raise op.refuse("dilations")
    options = _windows(op) | {"ceil_mode": bool(op.attributes.get("ceil_mode", 0))}
    return options | {"kernel_size": tuple(op.attributes["kernel_shape"])}


def _max_pool(op: Operator, x: Laid) -> Laid:
    if len(op.outputs) > 1:
        raise op.refuse("indices")
    return Laid(F.max_pool2d(_picture(op, x), **_pool_options(op)), PICTURES)


def _average_pool(op: Operator, x: Laid) -> Laid:
    counts = bool(op.attributes.get("count_include_pad", 0))
    options = _pool_options(op) | {"count_include_pad": counts}
    return Laid(F.avg_pool2d(_picture(op, x), **options), PICTURES)


def _global_average_pool(op: Operator, x: Laid) -> Laid:
    return Laid(F.adaptive_avg_pool2d(_picture(op, x), 1), PICTURES)


def _resize(
    op: Operator,
    x: Laid,
    roi: Operand = None,
    scales: Operand = None,
    sizes: Operand = None,
) -> Laid:
    picture = _picture(op, x)
    where = op.attributes.get("coordinate_transformation_mode", "half_pixel")
    form = op.attributes.get("mode", "nearest"), where
    forms: dict[tuple[str, str], dict[str, Any]] = {
        ("nearest", "asymmetric"): {"mode": "nearest"},
        ("linear", "half_pixel"): {"mode": "bilinear"},
        ("linear", "pytorch_half_pixel"): {"mode": "bilinear"},
        ("linear", "align_corners"): {"mode": "bilinear", "align_corners": True},
    }
    options = forms.get(form)
    rounding = op.attributes.get("nearest_mode", "round_prefer_floor")
    if options is None or (form[0] == "nearest" and rounding != "floor"):
        raise op.refuse(f"{form[0]}, {where}, {rounding}")
    if op.attributes.get("axes", [0, 1, 2, 3]) != [0, 1, 2, 3] or op.attributes.get(
        "antialias"
    ):
        raise op.refuse("axes or antialias")
    if isinstance(sizes, np.ndarray):
        return Laid(F.upsample(picture, tuple(sizes[2:].tolist()), **options), PICTURES)
    if not isinstance(scales, Laid):
        raise op.refuse("sizes that depend on the input")
    factors = tuple(scales.tensor.numpy()[2:].tolist())
    return Laid(F.upsample(picture, scale_factor=factors, **options), PICTURES)


# Norms -------------------------------------------------------------------------------


def _last(x: Laid) -> Sequence[int]:
    """Return the axes with the channels behind the others."""
    return PICTURES if x.rank == 4 else (0, *range(2, x.rank), 1)


def _batch_normalization(
    op: Operator, x: Laid, weight: Laid, bias: Laid, mean: Laid, var: Laid
) -> Laid:
    axes = tuple(_last(x))
    y = F.batch_norm(
        x.along(axes),
        mean.natural.numpy(),
        var.natural.numpy(),
        weight.natural,
        bias.natural,
        training=op.training,
        momentum=1 - op.attributes.get("momentum", 0.9),
        eps=op.attributes.get("epsilon", 1e-5),
    )
    return Laid(y, axes)


def _instance_normalization(op: Operator, x: Laid, weight: Laid, bias: Laid) -> Laid:
    axes = tuple(_last(x))
    operands = x.along(axes), weight.tensor.size, weight.natural, bias.natural
    return Laid(F.group_norm(*operands, op.attributes.get("epsilon", 1e-5)), axes)


def _layer_normalization(
    op: Operator, x: Laid, weight: Laid, bias: Laid | None = None
) -> Laid:
    if len(op.outputs) > 1:
        raise op.refuse("more than one output")
    axis = op.attributes.get("axis", -1) % x.rank
    shift = None if bias is None else bias.natural
    operands = x.natural, x.shape[axis:], weight.natural, shift
    return laid(F.layer_norm(*operands, op.attributes.get("epsilon", 1e-5)))


IMAGES: dict[str, Run] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_average_pool,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "MaxPool": _max_pool,
    "Resize": _resize,
}
