"""Convolutions: layers of known networks, forward, both gradients, and each alone."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench import peer
from bench.harness import Case, Function, Work, normal
from fastdl import kernels, shapes

LAYERS: dict[str, tuple] = {
    # n, c, h = w, filters, kernel, stride, padding
    "lenet1": (64, 1, 28, 6, 5, 1, 2),
    "lenet2": (64, 6, 14, 16, 5, 1, 0),
    "cs39_1": (64, 3, 39, 10, 3, 1, 0),
    "cs39_2": (64, 10, 37, 20, 5, 2, 0),
    "cs39_3": (64, 20, 17, 40, 5, 2, 0),
    "signs1": (64, 3, 64, 8, 4, 1, "same"),
    "signs2": (64, 8, 8, 16, 2, 1, "same"),
    "mnist1": (128, 1, 28, 32, 3, 1, 1),
    "mnist2": (128, 32, 14, 64, 3, 1, 1),
    "cifar_stem": (32, 3, 32, 64, 3, 1, 1),
    "r20_16": (64, 16, 32, 16, 3, 1, 1),
    "r20_32": (64, 32, 16, 32, 3, 1, 1),
    "r20_64": (64, 64, 8, 64, 3, 1, 1),
    "r20_down": (64, 16, 32, 32, 3, 2, 1),
    "r18_64": (32, 64, 32, 64, 3, 1, 1),
    "r18_128": (32, 128, 16, 128, 3, 1, 1),
    "r18_256": (32, 256, 8, 256, 3, 1, 1),
    "r18_512": (32, 512, 4, 512, 3, 1, 1),
    "r18_down": (32, 64, 32, 128, 3, 2, 1),
    "r18_down_512": (32, 256, 8, 512, 3, 2, 1),
    "r18_skip": (32, 64, 32, 128, 1, 2, 0),
    "r50_1x1": (16, 256, 14, 1024, 1, 1, 0),
    "r50_1x1_64": (16, 256, 56, 64, 1, 1, 0),
    "r50_1x1_256": (16, 1024, 14, 256, 1, 1, 0),
    "vgg_56": (4, 256, 56, 256, 3, 1, 1),
    "alex1": (8, 3, 227, 96, 11, 4, 0),
    "res_stem": (8, 3, 224, 64, 7, 2, 3),
}
DEPTHWISE: dict[str, tuple] = {
    "dw_32": (8, 32, 112, 32, 3, 1, 1, 32),
    "dw_64_down": (8, 64, 112, 64, 3, 2, 1, 64),
    "dw_256": (8, 256, 28, 256, 3, 1, 1, 256),
    "dw_512": (8, 512, 14, 512, 3, 1, 1, 512),
}
FEW_CHANNELS = 10

# What a pass computes: the result, dx, (dweight, dbias).
PASSES = ("forward", "gradients", "dx", "dweight")


def products(s: shapes.Conv2dShape) -> int:
    """Count the multiplications of one pass, those with padding left out."""

    def pairs(size, taps, out, stride, before, dilation):
        places = np.arange(out)[:, None] * stride + np.arange(taps) * dilation - before
        return int(((places >= 0) & (places < size)).sum())

    rows = pairs(s.h, s.kh, s.oh, s.stride_h, s.top, s.dilation_h)
    cols = pairs(s.w, s.kw, s.ow, s.stride_w, s.left, s.dilation_w)
    return s.n * rows * cols * (s.c // s.groups) * s.oc


def work(
    direction: str, n: int, c: int, size: int, oc: int, kernel: int, stride: int,
    padding: Any, groups: int = 1,
) -> Work:  # fmt: skip
    """Make the arrays of a layer, and return one of its passes."""
    s = shapes.conv2d(
        (n, size, size, c),
        (kernel, kernel, c // groups, oc),
        stride,
        padding,
        1,
        groups,
    )
    arrays = normal(
        (n, size, size, c),
        (kernel, kernel, c // groups, oc),
        oc,
        (n, s.oh, s.ow, oc),
    )
    geometry = {"stride": stride, "padding": padding, "groups": groups}

    def ours(k: ModuleType) -> Any:
        return compute(k, *arrays)

    def exact() -> Any:
        return compute(kernels, *(array.astype(np.float64) for array in arrays))

    def compute(k: ModuleType, x: Any, weight: Any, bias: Any, dy: Any) -> Any:
        if direction == "forward":
            return k.conv2d_forward(x, weight, bias, **geometry)
        dx = dweight = dbias = None
        if direction != "dweight":
            dx = k.conv2d_backward_input(dy, weight, x.shape, **geometry)
        if direction != "dx":
            dweight, dbias = k.conv2d_backward_weight(
                dy, x, weight.shape[:2], **geometry
            )
        return dx, dweight, dbias

    def peers() -> list[Function]:
        return peer.in_both_layouts(partial(_peer, direction, *arrays, s))

    passes = 2 if direction == "gradients" else 1
    winograd = _has_winograd(kernel, stride) and groups == 1
    flops = 2.0 * passes * products(s)
    return Work(ours, peers, flops, winograd=winograd, exact=exact)


def _has_winograd(kernel: int, stride: int) -> bool:
    return kernel == 3 and stride == 1


def _peer(direction, x, weight, bias, dy, s, layout) -> Function:
    import torch

    aten = torch.ops.aten
    x, dy = peer.images(x, layout), peer.images(dy, layout)
    weight, bias = peer.filters(weight, layout), peer.tensor(bias)
    uneven = (s.top, s.left) != (s.bottom, s.right)
    stride, dilation = (s.stride_h, s.stride_w), (1, 1)
    padding = (0, 0) if uneven else (s.top, s.left)
    mask = {
        "gradients": [True, True, True],
        "dx": [True, False, False],
        "dweight": [False, True, True],
    }
    border = (s.left, s.right, s.top, s.bottom)

    def padded():
        return torch.nn.functional.pad(x, border) if uneven else x

    def forward():
        return aten.convolution(
            padded(), weight, bias, stride, padding, dilation, False, (0, 0), s.groups
        )

    def backward():
        dx, dweight, dbias = aten.convolution_backward(
            dy, padded(), weight, [s.oc], stride, padding, dilation, False, (0, 0),
            s.groups, mask[direction],
        )  # fmt: skip
        if uneven and dx is not None:
            dx = dx[:, :, s.top : s.top + s.h, s.left : s.left + s.w]
        return dx, dweight, dbias

    return forward if direction == "forward" else backward


def _goals(layer: str, direction: str) -> dict[str, float]:
    if layer in DEPTHWISE:
        return {"ratio": 1.5}
    _, c, size, oc, kernel, stride, _ = LAYERS[layer]
    goals: dict[str, float] = {"ratio": 1.0, "direct": 1.0}
    forward = direction == "forward"
    if c <= FEW_CHANNELS:
        goals["percent"] = 60 if forward else 55
        if direction == "gradients":
            goals["direct"] = 2.5
    elif kernel == 1 or stride > 1:
        goals["percent"] = 85
    elif direction == "dweight":
        goals["percent"] = 75 if min(c, oc) >= 64 else 60
    else:
        goals["percent"] = 88
    if direction == "gradients":  # its parts have goals of their own
        del goals["percent"]
    if c > FEW_CHANNELS and _has_winograd(kernel, stride):
        goals["ratio"] = 1.8 if size == 4 else 2.3 if forward else 2.2
    return goals


CASES = [
    Case(
        f"{layer} {direction}",
        partial(work, direction, *shape),
        _goals(layer, direction),
    )
    for layer, shape in (LAYERS | DEPTHWISE).items()
    for direction in PASSES
]
