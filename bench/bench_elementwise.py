"""The sum of two arrays: a residual, or two gradients of one tensor."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal


def work(size: int) -> Work:
    """Make two arrays, and return their sum."""
    a, b = normal(size, size)

    def ours(k: ModuleType) -> Any:
        return k.add(a, b)

    def peers() -> list[Function]:
        import torch

        return [partial(torch.add, peer.tensor(a), peer.tensor(b))]

    return Work(ours, peers, bytes=3 * a.nbytes)


CASES = [
    Case(f"add, {size}", partial(work, n), memory_goals(size))
    for size, n in SIZES.items()
]
