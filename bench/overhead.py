"""What an eager operation with its tape node costs beyond its kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.harness import Table, against, measure
from fastdl import Tensor, kernels, nn, optim
from fastdl import functional as F

# Microseconds.
GOAL = 0.8  # beyond the kernel
WHOLE_GOALS = {"Adam.step, 60 tensors of 64": 4}
CHECKS_GOALS = {"conv2d": 1.5, "max_pool2d": 1.5}  # of a kernel, beyond that of ReLU


def _operations() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return for each operation its kernel alone and the differentiable call."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return Tensor(rng.standard_normal(shape, np.float32), requires_grad=True)

    x, w, b = normal(4, 8), normal(8, 8), normal(8)
    image, filters, gamma = normal(1, 4, 4, 4), normal(3, 3, 4, 4), normal(4)
    mean, var = np.zeros(4, np.float32), np.ones(4, np.float32)
    labels = np.zeros(4, np.int64)
    return {
        "relu": (lambda: kernels.activation_forward(x.data, "relu"), lambda: F.relu(x)),
        "add": (lambda: np.add(x.data, x.data), lambda: x + x),
        "linear": (
            lambda: kernels.matmul(x.data, w.data, b.data),
            lambda: F.linear(x, w, b),
        ),
        "conv2d": (
            lambda: kernels.conv2d_forward(image.data, filters.data, padding=1),
            lambda: F.conv2d(image, filters, padding=1),
        ),
        "max_pool2d": (
            lambda: kernels.max_pool2d_forward(image.data, 2),
            lambda: F.max_pool2d(image, 2),
        ),
        "batch_norm": (
            lambda: kernels.batchnorm_forward(
                image.data, gamma.data, gamma.data, mean, var
            ),
            lambda: F.batch_norm(image, mean, var, gamma, gamma, training=True),
        ),
        "cross_entropy": (
            lambda: kernels.softmax_cross_entropy_forward(x.data, labels, scale=0.25),
            lambda: F.cross_entropy(x, labels),
        ),
        "Adam.step, 60 tensors of 64": _adam(),
    }


def _adam() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the update of all parameters as one array, and the optimiser's step."""
    params = [nn.Parameter(np.zeros(64, np.float32)) for _ in range(60)]
    for param in params:
        param.grad = np.ones(64, np.float32)
    flat = np.ones((4, 60 * 64), np.float32)
    return lambda: kernels.adam_step(*flat, lr=1e-3, step=1), optim.Adam(params).step


def overhead(repeats: int) -> Table:
    """Operations on a few numbers, so that only the calls cost."""
    table = Table(
        "Overhead of an eager operation",
        "Microseconds of operations on a few numbers: the kernel (checks, memory for "
        "the result, the C call), what it takes longer than that of ReLU, which has "
        "little to check, and the differentiable operation that records a node.",
        ("operation", "kernel", "beyond ReLU", "operation", "beyond the kernel"),
    )
    for name, (kernel, operation) in _operations().items():
        times = measure({"kernel": kernel, "operation": operation}, repeats)
        table.timings[name] = times
        alone, whole = (1e6 * time.median for time in times.values())
        goal = WHOLE_GOALS.get(name)
        relu = 1e6 * table.timings["relu"]["kernel"].median
        cells = (
            against(alone - relu, CHECKS_GOALS.get(name), ".2f", at_most=True),
            against(whole, goal, ".2f", at_most=True),
            against(whole - alone, None if goal else GOAL, ".2f", at_most=True),
        )
        table.rows.append((name, f"{alone:.2f}", *cells))
    return table
