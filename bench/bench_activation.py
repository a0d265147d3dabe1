"""Activations, forward and backward, on 8 MB."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench.harness import Case, Work
from fastdl import shapes

SIZE = 2**21  # float32
PASSES = ("forward", "backward")


def work(direction: str, kind: str) -> Work:
    """Make the arrays of an activation, and return one of its passes."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, SIZE), np.float32)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.activation_forward(x, kind)
        # Any numbers do for y: they only go into the derivative.
        return k.activation_backward(dy, x, x, kind)

    return Work(ours, bytes=x.nbytes * (2 if direction == "forward" else 3))


CASES = [
    Case(f"{kind} {direction}", partial(work, direction, kind))
    for kind in shapes.ACTIVATIONS
    for direction in PASSES
]
