"""Dropout on 8 MB; the backward pass is the same function."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench.harness import Case, Work

SIZE = 2**21  # float32


def work(keep_prob: float) -> Work:
    """Make an array, and return its forward pass."""
    x = np.random.default_rng(0).standard_normal(SIZE, np.float32)

    def ours(k: ModuleType) -> Any:
        return k.dropout_forward(x, keep_prob, seed=1, offset=0)

    return Work(ours, bytes=2 * x.nbytes)


CASES = [Case("dropout, 0.5 kept", partial(work, 0.5))]
