"""Activations, forward and backward."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal
from fastdl import shapes

PASSES = ("forward", "backward")
WITH_PEER = ("relu", "sigmoid", "tanh", "silu", "gelu")


def work(direction: str, kind: str, size: int) -> Work:
    """Make the arrays of an activation, and return one of its passes."""
    x, dy = normal(size, size)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.activation_forward(x, kind)
        # Any numbers do for y: they only go into the derivative.
        return k.activation_backward(dy, x, x, kind)

    def peers() -> list[Function]:
        import torch

        aten = torch.ops.aten
        a, da = peer.tensor(x), peer.tensor(dy)
        if direction == "forward":
            return [partial(getattr(aten, kind), a)]
        if kind == "relu":
            return [partial(aten.threshold_backward, da, a, 0)]
        return [partial(getattr(aten, f"{kind}_backward"), da, a)]

    moved = x.nbytes * (2 if direction == "forward" else 3)
    return Work(ours, peers if kind in WITH_PEER else list, bytes=moved)


CASES = [
    Case(
        f"{kind} {direction}, {size}",
        partial(work, direction, kind, SIZES[size]),
        memory_goals(size) if kind in WITH_PEER else {},
    )
    for kind in shapes.ACTIVATIONS
    for direction in PASSES
    for size in (SIZES if kind in WITH_PEER else ["8 MB"])
]
