"""Penalties of weights, their gradients, and the limit of norms."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

UNITS = 256
PEERS = {
    "l1_penalty": lambda torch, w: 0.1 * w.abs().sum(),
    "l2_penalty": lambda torch, w: 0.05 * w.square().sum(),
}


def forward(name: str, size: int) -> Work:
    """Make weights, and return the sum."""
    (w,) = normal(size)

    def ours(k: ModuleType) -> Any:
        return getattr(k, f"{name}_forward")(w, 0.1)

    def peers() -> list[Function]:
        import torch

        theirs = peer.tensor(w)
        return [lambda: PEERS[name](torch, theirs)]

    return Work(ours, peers, bytes=w.nbytes)


def backward(name: str, size: int) -> Work:
    """Make weights, and return the gradient."""
    (w,) = normal(size)
    dy = np.array(1, w.dtype)

    def ours(k: ModuleType) -> Any:
        return getattr(k, f"{name}_backward")(dy, w, 0.1)

    return Work(ours, bytes=2 * w.nbytes)


def limit(size: int) -> Work:
    """Make weights (in, units) within the limit, as after most steps."""
    (w,) = normal(size)

    def ours(k: ModuleType) -> Any:
        return k.max_norm_step(w.reshape(-1, UNITS), limit=1e9)

    return Work(ours, bytes=w.nbytes)


CASES = [
    *(
        Case(f"{name}, {size}", partial(forward, name, n), memory_goals(size))
        for name in PEERS
        for size, n in SIZES.items()
    ),
    *(
        Case(f"{name} backward, {size}", partial(backward, name, n))
        for name in PEERS
        for size, n in SIZES.items()
    ),
    *(Case(f"max norm, {size}", partial(limit, n)) for size, n in SIZES.items()),
]
