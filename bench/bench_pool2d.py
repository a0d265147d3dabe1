"""Pooling, forward and backward, on images of 8 MB."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench.harness import Case, Work
from fastdl import kernels, shapes

SIZE = 2**21  # float32
WINDOWS = {
    # h = w, c, kernel, stride, padding
    "2/2, 3 channels": (64, 3, 2, 2, 0),
    "2/2, 6 channels": (32, 6, 2, 2, 0),
    "2/2, 32 channels": (32, 32, 2, 2, 0),
    "2/2, 64 channels": (32, 64, 2, 2, 0),
    "3/2, 64 channels": (32, 64, 3, 2, 1),
    "3/1, 64 channels": (32, 64, 3, 1, 1),
}
GLOBAL = {"8x8, 512 channels": (8, 512), "32x32, 64 channels": (32, 64)}
PASSES = ("forward", "backward")


def work(
    operation: str,
    direction: str,
    h: int,
    c: int,
    kernel: int,
    stride: int,
    padding: int,
) -> Work:
    """Make images and windows, and return one pass of max or average pooling."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((SIZE // (h * h * c), h, h, c), np.float32)
    options = {"stride": stride, "padding": padding}
    s = shapes.pool2d(x.shape, kernel, **options)
    dy = rng.standard_normal((s.n, s.oh, s.ow, s.c), np.float32)
    _, argmax = kernels.max_pool2d_forward(x, kernel, **options)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return getattr(k, f"{operation}_forward")(x, kernel, **options)
        if operation == "max_pool2d":
            return k.max_pool2d_backward(dy, argmax, x.shape, kernel, **options)
        return k.avg_pool2d_backward(dy, x.shape, kernel, **options)

    index = argmax.nbytes if operation == "max_pool2d" else 0
    return Work(ours, bytes=x.nbytes + dy.nbytes + index)


def global_work(direction: str, h: int, c: int) -> Work:
    """Make images, and return one pass of the global average."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((SIZE // (h * h * c), h, h, c), np.float32)
    dy = rng.standard_normal((len(x), c), np.float32)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.global_avg_pool2d_forward(x)
        return k.global_avg_pool2d_backward(dy, x.shape)

    return Work(ours, bytes=x.nbytes + dy.nbytes)


CASES = [
    Case(
        f"{operation} {direction} {name}", partial(work, operation, direction, *window)
    )
    for name, window in WINDOWS.items()
    for operation in ("max_pool2d", "avg_pool2d")
    for direction in PASSES
]
CASES += [
    Case(
        f"global_avg_pool2d {direction} {name}", partial(global_work, direction, *size)
    )
    for name, size in GLOBAL.items()
    for direction in PASSES
]
