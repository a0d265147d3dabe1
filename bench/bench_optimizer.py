"""One optimiser step over a flat buffer of 8 MB."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench.harness import Case, Work

SIZE = 2**21  # float32
# The function, its arrays of state, how many arrays it reads and writes, its options.
STEPS: dict[str, tuple[str, int, int, dict[str, Any]]] = {
    "sgd": ("sgd_step", 0, 3, {}),
    "sgd, momentum": ("sgd_step", 1, 5, {"momentum": 0.9}),
    "sgd, Nesterov": ("sgd_step", 1, 5, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("rmsprop_step", 1, 5, {}),
    "adam": ("adam_step", 2, 7, {"step": 10}),
    "adamw": ("adam_step", 2, 7, {"step": 10, "decoupled": True, "weight_decay": 0.01}),
}


def work(function: str, states: int, moved: int, options: dict[str, Any]) -> Work:
    """Make parameters, gradients and state, and return the step."""
    rng = np.random.default_rng(0)
    param, grad = rng.standard_normal((2, SIZE), np.float32)
    arrays: list[np.ndarray | None] = [np.ones_like(param) for _ in range(states)]
    if function == "sgd_step" and not states:
        arrays.append(None)

    def ours(k: ModuleType) -> Any:
        return getattr(k, function)(param, grad, *arrays, lr=1e-6, **options)

    return Work(ours, bytes=moved * param.nbytes)


CASES = [Case(name, partial(work, *step)) for name, step in STEPS.items()]
