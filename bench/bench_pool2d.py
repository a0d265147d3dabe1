"""Pooling, forward and backward."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal
from fastdl import kernels, shapes

WINDOWS = {
    # h = w, c, kernel, stride, padding
    "2/2, 1 channel": (28, 1, 2, 2, 0),
    "2/2, 3 channels": (64, 3, 2, 2, 0),
    "2/2, 6 channels": (32, 6, 2, 2, 0),
    "8/8, 8 channels": (64, 8, 8, 8, 0),
    "2/2, 16 channels": (10, 16, 2, 2, 0),
    "2/2, 32 channels": (32, 32, 2, 2, 0),
    "2/2, 64 channels": (32, 64, 2, 2, 0),
    "3/2, 64 channels": (32, 64, 3, 2, 1),
    "3/1, 64 channels": (32, 64, 3, 1, 1),
}
GLOBAL = {"8x8, 512 channels": (8, 512), "32x32, 64 channels": (32, 64)}
ADAPTIVE = {  # h = w, c, output
    "8x8 to 7x7, 512 channels": (8, 512, 7),
    "32x32 to 7x7, 64 channels": (32, 64, 7),
}
PASSES = ("forward", "backward")


def work(
    operation: str, direction: str, size: int, h: int, c: int, kernel: int,
    stride: int, padding: int,
) -> Work:  # fmt: skip
    """Make images and windows, and return one pass of max or average pooling."""
    options: dict[str, Any] = {"stride": stride, "padding": padding}
    s = shapes.pool2d((size // (h * h * c), h, h, c), kernel, **options)
    x, dy = normal((s.n, s.h, s.w, s.c), (s.n, s.oh, s.ow, s.c))
    _, argmax = kernels.max_pool2d_forward(x, kernel, **options)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return getattr(k, f"{operation}_forward")(x, kernel, **options)
        if operation == "max_pool2d":
            return k.max_pool2d_backward(dy, argmax, x.shape, kernel, **options)
        return k.avg_pool2d_backward(dy, x.shape, kernel, **options)

    def peers() -> list[Function]:
        window = [kernel, kernel], [stride, stride], [padding, padding]
        return peer.in_both_layouts(partial(_peer, operation, direction, x, dy, window))

    index = argmax.nbytes if operation == "max_pool2d" else 0
    return Work(ours, peers, bytes=x.nbytes + dy.nbytes + index)


def _peer(operation, direction, x, dy, window, layout) -> Function:
    import torch

    aten = torch.ops.aten
    a, da = peer.images(x, layout), peer.images(dy, layout)
    if operation == "avg_pool2d":
        if direction == "forward":
            return lambda: aten.avg_pool2d(a, *window)
        return lambda: aten.avg_pool2d_backward(da, a, *window, False, True, None)
    if direction == "forward":
        return lambda: aten.max_pool2d_with_indices(a, *window)
    _, index = aten.max_pool2d_with_indices(a, *window)
    return lambda: aten.max_pool2d_with_indices_backward(
        da, a, *window, [1, 1], False, index
    )


def global_work(direction: str, size: int, h: int, c: int) -> Work:
    """Make images, and return one pass of the global average."""
    n = size // (h * h * c)
    x, dy = normal((n, h, h, c), (n, c))

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.global_avg_pool2d_forward(x)
        return k.global_avg_pool2d_backward(dy, x.shape)

    def peers() -> list[Function]:
        def make(layout: Any) -> Function:
            a, da = peer.images(x, layout), peer.tensor(dy)
            if direction == "forward":
                return lambda: a.mean((2, 3))
            return lambda: da[:, :, None, None].expand_as(a) / (h * h)

        return peer.in_both_layouts(make)

    return Work(ours, peers, bytes=x.nbytes + dy.nbytes)


def adaptive_work(direction: str, size: int, h: int, c: int, output: int) -> Work:
    """Make images, and return one pass of the average into `output` x `output`."""
    n = size // (h * h * c)
    x, dy = normal((n, h, h, c), (n, output, output, c))

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.adaptive_avg_pool2d_forward(x, output)
        return k.adaptive_avg_pool2d_backward(dy, x.shape, output)

    def peers() -> list[Function]:
        import torch

        aten = torch.ops.aten

        def make(layout: Any) -> Function:
            a, da = peer.images(x, layout), peer.images(dy, layout)
            if direction == "forward":
                return lambda: aten._adaptive_avg_pool2d(a, [output, output])
            return lambda: aten._adaptive_avg_pool2d_backward(da, a)

        return peer.in_both_layouts(make)

    return Work(ours, peers, bytes=x.nbytes + dy.nbytes)


CASES = [
    Case(
        f"{operation} {direction} {name}, {size}",
        partial(work, operation, direction, SIZES[size], *window),
        memory_goals(size),
    )
    for name, window in WINDOWS.items()
    for operation in ("max_pool2d", "avg_pool2d")
    for direction in PASSES
    for size in (SIZES if name == "2/2, 32 channels" else ["8 MB"])
]
CASES += [
    Case(
        f"global_avg_pool2d {direction} {name}, 8 MB",
        partial(global_work, direction, SIZES["8 MB"], *image),
        memory_goals("8 MB"),
    )
    for name, image in GLOBAL.items()
    for direction in PASSES
]
CASES += [
    Case(
        f"adaptive_avg_pool2d {direction} {name}, 8 MB",
        partial(adaptive_work, direction, SIZES["8 MB"], *image),
        memory_goals("8 MB"),
    )
    for name, image in ADAPTIVE.items()
    for direction in PASSES
]
