"""PReLU, forward and backward."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

PASSES = ("forward", "backward")
CHANNELS = {"one slope": 1, "64 slopes": 64}
PIXELS = (32, 32, 64)


def work(direction: str, size: int, slopes: int) -> Work:
    """Make images and slopes, and return one pass."""
    n = size // (32 * 32 * 64)
    x, dy, weight = normal((n, *PIXELS), (n, *PIXELS), slopes)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.prelu_forward(x, weight)
        return k.prelu_backward(dy, x, weight)

    def peers() -> list[Function]:
        import torch

        aten = torch.ops.aten

        def make(layout: Any) -> Function:
            a, da, w = (
                peer.images(x, layout),
                peer.images(dy, layout),
                peer.tensor(weight),
            )
            w = w.reshape(1, -1, 1, 1)
            if direction == "forward":
                return lambda: aten._prelu_kernel(a, w)

            def backward() -> Any:
                dx, products = aten._prelu_kernel_backward(da, a, w)
                axes = [0, 2, 3] if slopes > 1 else [0, 1, 2, 3]
                return dx, products.sum(axes).reshape(-1)

            return backward

        return peer.in_both_layouts(make)

    moved = x.nbytes * (2 if direction == "forward" else 3)
    return Work(ours, peers, bytes=moved)


CASES = [
    Case(
        f"prelu {direction} {name}, 8 MB",
        partial(work, direction, SIZES["8 MB"], slopes),
        memory_goals("8 MB"),
    )
    for name, slopes in CHANNELS.items()
    for direction in PASSES
]
