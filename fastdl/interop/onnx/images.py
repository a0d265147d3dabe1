"""Operations on pictures, and the norms, as ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl import shapes
from fastdl.errors import GraphError
from fastdl.interop.onnx.elementwise import Emit, activate, of_step
from fastdl.interop.onnx.graph import (
    PICTURES,
    Graph,
    Layout,
    Value,
    channels_first,
    common,
    natural,
)
from fastdl.interop.onnx.trace import Step
from fastdl.shapes import Conv2dShape, Pool2dShape
from fastdl.shapes.resample import Taps

_FILTERS = Layout((3, 2, 0, 1))  # (oc, c, kh, kw) of our (kh, kw, c, oc)


def _pads(s: Conv2dShape | Pool2dShape) -> list[int]:
    return [s.top, s.left, s.bottom, s.right]


# Convolution -------------------------------------------------------------------------


def _conv2d(g: Graph, step: Step, x: Value, weight: Value, bias: Value | None) -> Value:
    kind, x_shape, weight_shape, (*geometry, _), flip = step.arguments
    s = shapes.conv2d(x_shape, weight_shape, *geometry)
    if flip:
        weight = _flipped(g, weight)
    names = [g.arranged(x, PICTURES), g.arranged(weight, _FILTERS)]
    if bias is not None:
        names.append(g.natural(bias))
    name = g.add(
        "Conv",
        *names,
        kernel_shape=[s.kh, s.kw],
        strides=[s.stride_h, s.stride_w],
        pads=_pads(s),
        dilations=[s.dilation_h, s.dilation_w],
        group=s.groups,
    )
    return of_step(step, activate(g, name, kind, step.dtype), PICTURES)


def _conv_transpose2d(
    g: Graph, step: Step, x: Value, weight: Value, bias: Value | None
) -> Value:
    kernel_size, (*geometry, _) = step.arguments
    _, h, w, oc = step.sizes
    # The convolution whose gradient it is says all sizes.
    _, _, _, channels = x.shape
    filters = (*kernel_size, oc // geometry[3], channels)
    s = shapes.conv2d(step.sizes, filters, *geometry)
    window_h, window_w = s.dilation_h * (s.kh - 1) + 1, s.dilation_w * (s.kw - 1) + 1
    extra = [
        h + s.top + s.bottom - ((s.oh - 1) * s.stride_h + window_h),
        w + s.left + s.right - ((s.ow - 1) * s.stride_w + window_w),
    ]
    names = [g.arranged(x, PICTURES), g.arranged(weight, _FILTERS)]
    if bias is not None:
        names.append(g.natural(bias))
    name = g.add(
        "ConvTranspose",
        *names,
        kernel_shape=[s.kh, s.kw],
        strides=[s.stride_h, s.stride_w],
        pads=_pads(s),
        output_padding=extra,
        dilations=[s.dilation_h, s.dilation_w],
        group=s.groups,
    )
    return of_step(step, name, PICTURES)


def _flipped(g: Graph, weight: Value) -> Value:
    if weight.array is None:
        name = g.reversed(g.natural(weight), (0, 1))
        return Value(name, weight.shape, natural(4))
    array = np.flip(weight.array, (0, 1))
    return Value(weight.name, weight.shape, weight.layout, array)


# Pooling -----------------------------------------------------------------------------


def _pool(s: Pool2dShape) -> dict[str, list[int]]:
    strides = [s.stride_h, s.stride_w]
    return {"kernel_shape": [s.kh, s.kw], "strides": strides, "pads": _pads(s)}


def _pool2d_shape(
    step: Step, shape: tuple[int, ...], kernel_size: Any, options: dict[str, Any]
) -> Pool2dShape:
    rounding = "ceil" if options["ceil_mode"] else "floor"
    geometry = kernel_size, options["stride"], options["padding"]
    return shapes.pool2d(shape, *geometry, step.operation, rounding)


def _max_pool2d(g: Graph, step: Step, x: Value) -> Value:
    s = _pool2d_shape(step, *step.arguments[1:])
    name = g.add("MaxPool", g.arranged(x, PICTURES), **_pool(s))
    return of_step(step, name, PICTURES)


def _avg_pool2d(g: Graph, step: Step, x: Value) -> Value:
    s = _pool2d_shape(step, *step.arguments)
    padding_counts = step.arguments[2]["count_include_pad"]
    name = g.arranged(x, PICTURES)
    if padding_counts and (s.beyond_h or s.beyond_w):
        # What a last window covers behind the padding never counts: two kinds of zeros.
        bottom, right = s.bottom - s.beyond_h, s.right - s.beyond_w
        pads = g.integers(0, 0, s.top, s.left, 0, 0, bottom, right)
        name = g.add("Pad", name, pads)
        s = s._replace(top=0, left=0, bottom=s.beyond_h, right=s.beyond_w)
        padding_counts = False
    name = g.add("AveragePool", name, count_include_pad=int(padding_counts), **_pool(s))
    return of_step(step, name, PICTURES)


def _global_avg_pool2d(g: Graph, step: Step, x: Value) -> Value:
    name = g.add("GlobalAveragePool", g.arranged(x, PICTURES))
    return of_step(step, g.add("Flatten", name), natural(2))


def _adaptive_avg_pool2d(g: Graph, step: Step, x: Value) -> Value:
    (_, h, w, _), output_size = step.arguments
    oh, ow = shapes.adaptive_pool2d(step.arguments[0], output_size)
    name = g.arranged(x, PICTURES)
    if (oh, ow) == (1, 1):
        name = g.add("GlobalAveragePool", name)
    elif h % oh == 0 and w % ow == 0:
        window = [h // oh, w // ow]
        name = g.add("AveragePool", name, kernel_shape=window, strides=window)
    else:
        rows, columns = (
            _matrix(shapes.adaptive_taps(size, output, step.dtype, False), size)
            for size, output in ((h, oh), (w, ow))
        )
        name = _resampled(g, name, rows, columns)
    return of_step(step, name, PICTURES)


# Resampling --------------------------------------------------------------------------


def _matrix(taps: Taps, size: int) -> np.ndarray:
    """Return (output, size): what each pixel along an axis is the weighted sum of."""
    matrix = np.zeros((len(taps.firsts), size), taps.weights.dtype)
    for row, first, count, weights in zip(matrix, *taps, strict=True):
        row[first : first + count] = weights[:count]
    return matrix


def _resampled(g: Graph, x: str, rows: np.ndarray, columns: np.ndarray) -> str:
    """Add the products that resample (n, c, h, w) along its height and its width."""
    x = g.add("MatMul", g.constant(rows), x)
    return g.add("MatMul", x, g.constant(columns.T))


def _upsample(g: Graph, step: Step, x: Value) -> Value:
    shape, size, options = step.arguments
    (oh, ow), scales = shapes.upsample(shape, size, options["scale_factor"])
    bilinear, corners = options["mode"] == "bilinear", options["align_corners"]
    axes = list(zip(shape[1:3], (oh, ow), scales, strict=True))
    name = g.arranged(x, PICTURES)
    if all(_fits_resize(*axis, bilinear) for axis in axes):
        mode = {"mode": "linear"} if bilinear else {"nearest_mode": "floor"}
        places = {(True, True): "align_corners", (True, False): "half_pixel"}.get(
            (bilinear, corners), "asymmetric"
        )
        factors = np.array([1, 1, *(output / size for size, output, _ in axes)])
        name = g.add(
            *("Resize", name, "", g.constant(factors.astype(np.float32))),
            coordinate_transformation_mode=places,
            **mode,
        )
    else:
        how = bilinear, corners, step.dtype, False
        rows, columns = (
            _matrix(shapes.upsample_taps(*axis, *how), axis[0]) for axis in axes
        )
        name = _resampled(g, name, rows, columns)
    return of_step(step, name, PICTURES)


def _fits_resize(size: int, output: int, scale: float | None, bilinear: bool) -> bool:
    """Whether ONNX, which knows a factor in float32, makes the same pixels of an axis.

    What hangs on how it is rounded is the size of the result, and which pixel is the
    nearest.
    """
    factor = output / size
    if scale not in (None, factor):
        return False
    return float(np.float32(factor)) == factor if bilinear else factor.is_integer()


# Norms -------------------------------------------------------------------------------


def _batch_norm(
    g: Graph,
    step: Step,
    x: Value,
    weight: Value,
    bias: Value,
    residual: Value | None,
) -> Value:
    mean, var, eps, kind = (
        step.fixed(*pair) for pair in zip(step.arguments, step.twins, strict=True)
    )
    known = _constant(mean), _constant(var)
    layout = common(x.rank, [x])
    if x.rank == 4 and (layout == natural(4) or x.array is not None):
        layout = PICTURES
    if x.rank == 2 or layout == channels_first(x.rank):
        channels = Layout((0,), layout.order)
        names = [g.arranged(each, channels) for each in (weight, bias, *known)]
        name = g.arranged(x, layout)
        name = g.add("BatchNormalization", name, *names, epsilon=float(eps))
    else:
        rstd = _constant(1 / np.sqrt(var + eps))
        name = g.add("Sub", g.arranged(x, layout), g.arranged(known[0], layout))
        name = g.add("Mul", name, g.arranged(rstd, layout))
        name = _affine(g, name, weight, bias, layout)
    if residual is not None:
        name = g.add("Add", name, g.arranged(residual, layout))
    return of_step(step, activate(g, name, kind, step.dtype), layout)


def _constant(array: np.ndarray) -> Value:
    return Value("", array.shape, natural(array.ndim), array)


def _affine(g: Graph, x: str, weight: Value, bias: Value, layout: Layout) -> str:
    """Add ``x * weight + bias``."""
    name = g.add("Mul", x, g.arranged(weight, layout))
    return g.add("Add", name, g.arranged(bias, layout))


def _normalise(g: Graph, step: Step, x: Value, weight: Value, bias: Value) -> Value:
    rows, inner, _, _, groups, eps = step.arguments
    if len(rows) > 2 or groups > 1:
        return _group_norm(g, step, x, weight, bias)
    layout, axes = common(x.rank, [x]), range(x.rank - len(inner), x.rank)
    name, places = g.arranged(x, layout), [layout.place(axis) for axis in axes]
    if sorted(places) == list(axes):
        last = Layout(
            tuple(axis - axes[0] for axis in layout.axes[axes[0] :]), layout.order
        )
        operands = [name, g.arranged(weight, last), g.arranged(bias, last)]
        name = g.add("LayerNormalization", *operands, axis=axes[0], epsilon=float(eps))
    else:  # along channels that are not the last axis
        at = g.integers(*places)
        name = g.add("Sub", name, g.add("ReduceMean", name, at))
        variance = g.add("ReduceMean", g.add("Mul", name, name), at)
        spread = g.add("Sqrt", g.add("Add", variance, g.number(eps, step.dtype)))
        name = _affine(g, g.add("Div", name, spread), weight, bias, layout)
    return of_step(step, name, layout)


def _group_norm(g: Graph, step: Step, x: Value, weight: Value, bias: Value) -> Value:
    *_, groups, eps = step.arguments
    layout = channels_first(x.rank)
    shape = [step.shape[axis] for axis in layout.axes[1:]]
    if -1 in shape:
        raise GraphError("export_onnx: group_norm: only the first axis may be open")
    name = g.reshaped(g.arranged(x, layout), (0, groups, -1))
    one, zero = np.ones(groups, step.dtype), np.zeros(groups, step.dtype)
    operands = name, g.constant(one), g.constant(zero)
    name = g.add("InstanceNormalization", *operands, epsilon=float(eps))
    name = g.reshaped(name, (0, *shape))
    return of_step(step, _affine(g, name, weight, bias, layout), layout)


IMAGES: dict[str, Emit] = {
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "avg_pool2d": _avg_pool2d,
    "batch_norm_inference": _batch_norm,
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "global_avg_pool2d": _global_avg_pool2d,
    "max_pool2d": _max_pool2d,
    "normalise": _normalise,
    "upsample": _upsample,
}
