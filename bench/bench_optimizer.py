"""One optimiser step over a flat buffer."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal

LR = 1e-6
# The function, its arrays of state, how many arrays it reads and writes, its options.
STEPS: dict[str, tuple[str, int, int, dict[str, Any]]] = {
    "sgd": ("sgd_step", 0, 3, {}),
    "sgd, momentum": ("sgd_step", 1, 5, {"momentum": 0.9}),
    "sgd, Nesterov": ("sgd_step", 1, 5, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("rmsprop_step", 1, 5, {}),
    "adagrad": ("adagrad_step", 1, 5, {}),
    "adam": ("adam_step", 2, 7, {"step": 10}),
    "adamw": ("adam_step", 2, 7, {"step": 10, "decoupled": True, "weight_decay": 0.01}),
}
WITH_PEER = {"sgd, momentum": ("SGD", {"momentum": 0.9}), "adam": ("Adam", {})}


def work(name: str, size: int, tensors: int = 1) -> Work:
    """Make parameters, gradients and state, and return the step.

    The peer gets the parameters as so many tensors; fastdl keeps them in one array.
    """
    function, states, moved, options = STEPS[name]
    param, grad, *state = normal(*[size] * (2 + states))
    arrays: list[np.ndarray | None] = [np.abs(array, out=array) for array in state]
    if function == "sgd_step" and not states:
        arrays.append(None)

    def ours(k: ModuleType) -> Any:
        return getattr(k, function)(param, grad, *arrays, lr=LR, **options)

    def peers() -> list[Function]:
        import torch

        kind, settings = WITH_PEER[name]
        params = [peer.tensor(part) for part in np.split(param.copy(), tensors)]
        for part, gradient in zip(params, np.split(grad, tensors), strict=True):
            part.grad = peer.tensor(gradient)
        optimizer = getattr(torch.optim, kind)(params, lr=LR, fused=True, **settings)
        return [optimizer.step]

    forms = peers if name in WITH_PEER else list
    return Work(ours, forms, bytes=moved * param.nbytes)


CASES = [
    Case(
        f"{name}, {size}",
        partial(work, name, SIZES[size]),
        memory_goals(size) if name in WITH_PEER else {},
    )
    for name in STEPS
    for size in (SIZES if name in WITH_PEER else ["8 MB"])
]
CASES.append(
    Case(
        "adam, 60 tensors of 64",
        partial(work, "adam", 60 * 64, tensors=60),
        {"microseconds": 5},
    )
)
