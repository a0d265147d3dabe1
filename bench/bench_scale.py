"""The end of a squeeze-and-excitation: a number for each channel of each image."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import Case, Function, Work, normal

SHAPES = {
    "16 x 112 x 112 x 32": (16, 112, 112, 32),
    "16 x 28 x 28 x 240": (16, 28, 28, 240),
    "16 x 7 x 7 x 1152": (16, 7, 7, 1152),
}


def work(shape: tuple[int, ...], backward: bool) -> Work:
    """Make the operands, and return one direction."""
    n, *_, c = shape
    x, dy = normal(shape, shape)
    (factors,) = normal((n, 1, 1, c))

    def ours(k: ModuleType) -> Any:
        if backward:
            return k.scale_backward(dy, x, factors)
        return k.scale_forward(x, factors)

    def peers() -> list[Function]:
        import torch

        def make(layout: Any) -> Function:
            a, b = peer.images(x, layout), peer.images(factors, layout)
            grad = peer.images(dy, layout)

            def run() -> Any:
                if not backward:
                    return a * b
                return grad * b, (grad * a).sum((2, 3), keepdim=True)

            return run

        with torch.no_grad():
            return peer.in_both_layouts(make)

    return Work(ours, peers, bytes=(3 if backward else 2) * x.nbytes)


CASES = [
    Case(f"scale {direction}, {name}", partial(work, shape, direction == "backward"))
    for name, shape in SHAPES.items()
    for direction in ("forward", "backward")
]
