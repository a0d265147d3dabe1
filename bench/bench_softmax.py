"""Softmax and the two cross-entropies, forward and backward."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

CLASSES = (2, 10, 100, 1000)
PASSES = (
    "softmax",
    "log_softmax",
    "cross_entropy",
    "cross_entropy backward",
    "cross_entropy one-hot",
    "cross_entropy one-hot backward",
)
WITH_PEER = ("cross_entropy", "cross_entropy backward")
BOTH = "cross_entropy and its gradient"


def work(name: str, classes: int, size: int) -> Work:
    """Make logits and labels, and return one of the functions of rows."""
    rng = np.random.default_rng(0)
    n = size // classes
    x, p = normal((n, classes), (n, classes))
    p[...] = rng.dirichlet(np.ones(classes), n)
    dloss = np.full(n, 1 / n, np.float32)
    labels: np.ndarray = rng.integers(0, classes, n)
    if "one-hot" in name:
        labels = np.eye(classes, dtype=np.float32)[labels]

    def ours(k: ModuleType) -> Any:
        if name == "softmax":
            return k.softmax_forward(x)
        if name == "log_softmax":
            return k.log_softmax_forward(x)
        if name.endswith("backward"):
            return k.softmax_cross_entropy_backward(p, labels, dloss)
        loss, probabilities = k.softmax_cross_entropy_forward(x, labels)
        if name == BOTH:
            return loss, k.softmax_cross_entropy_backward(probabilities, labels, dloss)
        return loss, probabilities

    def peers() -> list[Function]:
        return [_peer(name, x, p, labels, dloss)]

    forms = peers if name in (*WITH_PEER, BOTH) else list
    return Work(ours, forms, bytes=x.nbytes * (3 if "one-hot" in name else 2))


def _peer(name, x, p, labels, dloss) -> Function:
    import torch

    aten = torch.ops.aten
    options = None, 0, -100  # no weights of classes, a loss for each row
    logits, y, da = peer.tensor(x), peer.tensor(labels), peer.tensor(dloss)
    one = torch.ones(())

    def forward(log_p):
        return aten.nll_loss_forward(log_p, y, *options)[0]

    def backward(log_p):
        dlog_p = aten.nll_loss_backward(da, log_p, y, *options, one)
        return aten._log_softmax_backward_data(dlog_p, log_p, 1, torch.float32)

    if name == "cross_entropy":
        return lambda: forward(aten._log_softmax(logits, 1, False))
    if name == "cross_entropy backward":
        return partial(backward, peer.tensor(np.log(p)))

    def both():
        log_p = aten._log_softmax(logits, 1, False)
        return forward(log_p), backward(log_p)

    return both


def sigmoid_work(direction: str, size: int) -> Work:
    """Make logits and targets, and return a pass of the sigmoid cross-entropy."""
    x, dloss, targets = normal(size, size, size)
    np.clip(targets, 0, 1, out=targets)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.sigmoid_cross_entropy_forward(x, targets)
        return k.sigmoid_cross_entropy_backward(x, targets, dloss)

    return Work(ours, bytes=x.nbytes * (3 if direction == "forward" else 4))


CASES = [
    Case(
        f"{name}, {classes} classes, {size}",
        partial(work, name, classes, SIZES[size]),
        memory_goals(size) if name in WITH_PEER else {},
    )
    for classes in CLASSES
    for name in PASSES
    for size in (SIZES if name in WITH_PEER else ["8 MB"])
]
CASES += [
    Case(
        f"sigmoid cross_entropy {direction}, 8 MB",
        partial(sigmoid_work, direction, SIZES["8 MB"]),
    )
    for direction in ("forward", "backward")
]
CASES.append(
    Case(f"{BOTH}, (64, 10)", partial(work, BOTH, 10, 640), {"microseconds": 6})
)
