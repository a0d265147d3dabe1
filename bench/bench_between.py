"""What lies between the products of a network, as its layers call it.

Each case is a forward pass, or one with its backward pass, of differentiable
operations: the tape, and whether they become one kernel, are part of the time.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal
from fastdl import Tensor, no_grad
from fastdl import functional as F

CHANNELS = 64
# The arrays of the size of x that are read and written when no cache holds any:
# forward, and with the backward pass.
MOVED = {
    "residual add": (3, 3),  # the gradient of both operands is dy itself
    "relu + max_pool2d 2/2": (1.25, 2.5),
    "batch_norm + residual + relu": (4, 12),
}
PASSES = ("forward", "both")


def work(operation: str, direction: str, size: int) -> Work:
    """Make images of 16 x 16 pixels, and return a pass of some operations."""
    shape = (size // (16 * 16 * CHANNELS), 16, 16, CHANNELS)
    x, residual, dy = normal(shape, shape, shape)
    mean, var = np.zeros(CHANNELS, np.float32), np.ones(CHANNELS, np.float32)
    a, r = (Tensor(z, requires_grad=True) for z in (x, residual))
    gamma, beta = (Tensor(z.copy(), requires_grad=True) for z in (var, mean))
    if "pool" in operation:
        dy = np.ascontiguousarray(dy[:, ::2, ::2])

    def forward() -> Tensor:
        if operation == "residual add":
            return a + r
        if "pool" in operation:
            return F.max_pool2d(F.relu(a), 2)
        return F.batch_norm(
            a, mean, var, gamma, beta, training=True, activation="relu", residual=r
        )

    def ours(_: ModuleType) -> Any:
        if direction == "forward":
            with no_grad():
                return forward().data
        for leaf in (a, r, gamma, beta):
            leaf.grad = None
        y = forward()
        y.backward(dy)
        return y.data, a.grad

    def peers() -> list[Function]:
        arrays = x, residual, dy
        return peer.in_both_layouts(partial(_peer, operation, direction, *arrays))

    moved = MOVED[operation][PASSES.index(direction)]
    return Work(ours, peers, bytes=moved * x.nbytes)


def _peer(operation, direction, x, residual, dy, layout) -> Function:
    import torch

    a, r, da = (peer.images(z, layout) for z in (x, residual, dy))
    channels = x.shape[-1]
    mean, beta = torch.zeros(channels), torch.zeros(channels, requires_grad=True)
    var, gamma = torch.ones(channels), torch.ones(channels, requires_grad=True)
    leaves = (a, r, gamma, beta)
    a.requires_grad_()
    r.requires_grad_()

    def forward() -> Any:
        if operation == "residual add":
            return a + r
        if "pool" in operation:
            return torch.nn.functional.max_pool2d(torch.relu(a), 2)
        y = torch.nn.functional.batch_norm(a, mean, var, gamma, beta, training=True)
        y += r
        return torch.relu_(y)

    def both() -> Any:
        for leaf in leaves:
            leaf.grad = None
        y = forward()
        y.backward(da)
        return y.detach(), a.grad

    return torch.no_grad()(forward) if direction == "forward" else both


CASES = [
    Case(
        f"{operation} {direction}, {CHANNELS} channels, {size}",
        partial(work, operation, direction, SIZES[size]),
        memory_goals(size),
    )
    for operation in MOVED
    for direction in PASSES
    for size in SIZES
]
