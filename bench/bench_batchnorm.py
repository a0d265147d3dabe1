"""Batch normalisation, from one channel to many, on 8 MB."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench.harness import Case, Work

SIZE = 2**21  # float32
CHANNELS = (1, 3, 10, 32, 64, 256, 1000)
# The arrays of the size of x that a pass reads and writes.
PASSES = {"forward": 3, "inference": 2, "backward": 5}


def work(direction: str, c: int) -> Work:
    """Make the arrays of a layer, and return one of its passes."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, SIZE // c, c), np.float32)
    gamma, beta = rng.standard_normal((2, c), np.float32)
    mean, rstd = x.mean(0), 1 / x.std(0)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.batchnorm_forward(x, gamma, beta)
        if direction == "inference":
            return k.batchnorm_inference(x, gamma, beta, mean, rstd)
        return k.batchnorm_backward(dy, x, gamma, mean, rstd)

    return Work(ours, bytes=x.nbytes * PASSES[direction])


CASES = [
    Case(f"batchnorm {direction}, {c} channels", partial(work, direction, c))
    for c in CHANNELS
    for direction in PASSES
]
