"""Softmax and the two cross-entropies, forward and backward, on 8 MB."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench.harness import Case, Work

SIZE = 2**21  # float32
CLASSES = (2, 10, 100, 1000)
PASSES = (
    "softmax",
    "log_softmax",
    "cross_entropy",
    "cross_entropy backward",
    "cross_entropy one-hot",
    "cross_entropy one-hot backward",
)


def work(name: str, classes: int) -> Work:
    """Make logits and labels, and return one of the functions of rows."""
    rng = np.random.default_rng(0)
    n = SIZE // classes
    x = rng.standard_normal((n, classes), np.float32)
    p = rng.dirichlet(np.ones(classes), n).astype(np.float32)
    dloss = np.full(n, 1 / n, np.float32)
    labels = rng.integers(0, classes, n)
    if "one-hot" in name:
        labels = np.eye(classes, dtype=np.float32)[labels]

    def ours(k: ModuleType) -> Any:
        if name == "softmax":
            return k.softmax_forward(x)
        if name == "log_softmax":
            return k.log_softmax_forward(x)
        if name.endswith("backward"):
            return k.softmax_cross_entropy_backward(p, labels, dloss)
        return k.softmax_cross_entropy_forward(x, labels)

    return Work(ours, bytes=x.nbytes * (3 if "one-hot" in name else 2))


def sigmoid_work(direction: str) -> Work:
    """Make logits and targets, and return a pass of the sigmoid cross-entropy."""
    rng = np.random.default_rng(0)
    x, dloss = rng.standard_normal((2, SIZE), np.float32)
    targets = rng.random(SIZE, np.float32)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.sigmoid_cross_entropy_forward(x, targets)
        return k.sigmoid_cross_entropy_backward(x, targets, dloss)

    return Work(ours, bytes=x.nbytes * (3 if direction == "forward" else 4))


CASES = [
    Case(f"{name}, {classes} classes", partial(work, name, classes))
    for classes in CLASSES
    for name in PASSES
]
CASES += [
    Case(f"sigmoid cross_entropy {direction}", partial(sigmoid_work, direction))
    for direction in ("forward", "backward")
]
