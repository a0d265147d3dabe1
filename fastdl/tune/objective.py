"""What is scored: a function, or a training described by a `fastdl.train.Job`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from fastdl.errors import ArgumentError, DataError
from fastdl.tune.trial import Trial

Objective = Callable[[Trial], float]


def describe(objective: Objective) -> dict[str, Any]:
    """Return a function as JSON has it: by its module and name.

    What has no such name, as a lambda, can be called in this process only.
    """
    module = getattr(objective, "__module__", None)
    name = getattr(objective, "__qualname__", None)
    return {"function": f"{module}:{name}"}


def find(description: dict[str, Any]) -> Objective:
    """Return the function that a description means.

    Raises
    ------
    ArgumentError
        It cannot be imported.
    """
    where = description["function"]
    module, _, name = where.partition(":")
    advice = "; with several jobs it must stand in a module that can be imported"
    if module == "__main__" or "<" in name:
        raise ArgumentError(f"search: workers cannot import {where}{advice}")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ArgumentError(
            f"search: workers cannot import {where}: {error}{advice}"
        ) from None
    if not callable(found):
        raise DataError(f"search: {where} is no function")
    return found
