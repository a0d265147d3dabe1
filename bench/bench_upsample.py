"""Upsampling, forward and backward."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

PASSES = ("forward", "backward")
IMAGES = {  # h = w, c, mode
    "nearest, 64 channels": (32, 64, "nearest"),
    "bilinear, 64 channels": (32, 64, "bilinear"),
    "bilinear, 3 channels": (64, 3, "bilinear"),
}


def work(direction: str, size: int, h: int, c: int, mode: str) -> Work:
    """Make images whose doubled form has `size` elements, and return one pass."""
    n = size // (4 * h * h * c)
    x, dy = normal((n, h, h, c), (n, 2 * h, 2 * h, c))
    options: dict[str, Any] = {"scale_factor": 2, "mode": mode}

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.upsample_forward(x, **options)
        return k.upsample_backward(dy, x.shape, **options)

    def peers() -> list[Function]:
        return peer.in_both_layouts(partial(_peer, direction, x, dy, mode))

    return Work(ours, peers, bytes=x.nbytes + dy.nbytes)


def _peer(direction, x, dy, mode, layout) -> Function:
    import torch

    aten = torch.ops.aten
    a, da = peer.images(x, layout), peer.images(dy, layout)
    size, scales = list(da.shape[2:]), [2.0, 2.0]
    if mode == "nearest":
        if direction == "forward":
            return lambda: aten.upsample_nearest2d(a, size, *scales)
        return lambda: aten.upsample_nearest2d_backward(da, size, a.shape, *scales)
    if direction == "forward":
        return lambda: aten.upsample_bilinear2d(a, size, False, *scales)
    return lambda: aten.upsample_bilinear2d_backward(da, size, a.shape, False, *scales)


CASES = [
    Case(
        f"upsample {direction} {name}, 8 MB",
        partial(work, direction, SIZES["8 MB"], *image),
        memory_goals("8 MB"),
    )
    for name, image in IMAGES.items()
    for direction in PASSES
]
