"""Sums of two arrays, powers, and copies into a part of a larger array."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

OPERATIONS = ("add", "power", "power_backward", "copy")
EXPONENT = 3


def work(operation: str, size: int) -> Work:
    """Make two arrays, and return an operation on them."""
    a, b = normal((size // 64, 64), (size // 64, 64))
    (wide,) = normal((size // 64, 128))
    moved = 2 if operation in ("power", "copy") else 3

    def ours(k: ModuleType) -> Any:
        if operation == "add":
            return k.add(a, b)
        if operation == "power":
            return k.power(a, EXPONENT)
        if operation == "copy":
            return k.copy(a, wide[:, 64:])
        return k.power_backward(b, a, EXPONENT)

    def peers() -> list[Function]:
        import torch

        x, y, z = map(peer.tensor, (a, b, wide))
        if operation == "add":
            return [partial(torch.add, x, y)]
        if operation == "power":
            return [partial(torch.pow, x, EXPONENT)]
        if operation == "copy":
            return [partial(z[:, 64:].copy_, x)]
        return [lambda: y * (EXPONENT * torch.pow(x, EXPONENT - 1))]

    return Work(ours, peers, bytes=moved * a.nbytes)


CASES = [
    Case(f"{operation}, {size}", partial(work, operation, n), memory_goals(size))
    for operation in OPERATIONS
    for size, n in SIZES.items()
]
