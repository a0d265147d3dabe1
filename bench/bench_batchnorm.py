"""Batch normalisation, from one channel to many."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

CHANNELS = (1, 3, 10, 32, 64, 256, 1000)
WITH_PEER = (32, 64, 256)  # on images of 16 x 16 pixels
# The arrays of the size of x that a pass reads and writes.
PASSES = {"forward": 3, "inference": 2, "backward": 5}


def work(direction: str, c: int, size: int) -> Work:
    """Make the arrays of a layer, and return one of its passes."""
    x, dy, gamma, beta = normal((size // c, c), (size // c, c), c, c)
    mean, rstd = x.mean(0), 1 / x.std(0)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.batchnorm_forward(x, gamma, beta)
        if direction == "inference":
            return k.batchnorm_inference(x, gamma, beta, mean, rstd)
        return k.batchnorm_backward(dy, x, gamma, mean, rstd)

    def peers() -> list[Function]:
        return peer.in_both_layouts(
            partial(_peer, direction, x, dy, gamma, beta, mean, rstd)
        )

    forms = peers if c in WITH_PEER else list
    return Work(ours, forms, bytes=x.nbytes * PASSES[direction])


def _peer(direction, x, dy, gamma, beta, mean, rstd, layout) -> Function:
    import torch

    aten = torch.ops.aten
    a, da = (peer.images(z.reshape(-1, 16, 16, z.shape[1]), layout) for z in (x, dy))
    g, b, m, r = map(peer.tensor, (gamma, beta, mean, rstd))
    if direction == "forward":
        return lambda: aten.native_batch_norm(a, g, b, None, None, True, 0.1, 1e-5)
    if direction == "inference":
        return lambda: aten.native_batch_norm(a, g, b, m, r, False, 0.1, 1e-5)[0]
    return lambda: aten.native_batch_norm_backward(
        da, a, g, None, None, m, r, True, 1e-5, [True, True, True]
    )


CASES = [
    Case(
        f"batchnorm {direction}, {c} channels, {size}",
        partial(work, direction, c, SIZES[size]),
        memory_goals(size) if c in WITH_PEER else {},
    )
    for c in CHANNELS
    for direction in PASSES
    for size in (SIZES if c in WITH_PEER else ["8 MB"])
]
