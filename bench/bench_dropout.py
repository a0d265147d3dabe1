"""Dropout; the backward pass is the same function."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal


def work(keep_prob: float, size: int) -> Work:
    """Make an array, and return its forward pass."""
    (x,) = normal(size)

    def ours(k: ModuleType) -> Any:
        return k.dropout_forward(x, keep_prob, seed=1, offset=0)

    def peers() -> list[Function]:
        import torch

        native = torch.ops.aten.native_dropout
        return [partial(native, peer.tensor(x), 1 - keep_prob, True)]

    return Work(ours, peers, bytes=2 * x.nbytes)


CASES = [
    Case(f"dropout, 0.5 kept, {size}", partial(work, 0.5, n), memory_goals(size))
    for size, n in SIZES.items()
]
