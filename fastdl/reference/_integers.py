"""Integers, as one types them when trying a kernel, are computed as real numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np

_REAL = {
    "x",
    "dy",
    "a",
    "b",
    "w",
    "logits",
    "probabilities",
}  # others follow their type
_EXACT = {"add", "copy", "gather", "gather_backward"}  # right for integers too


def of_reals(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel that takes integers and truth values for float64.

    A kernel computes in the type of its input, in which 0.5 would become 0.
    """
    names = list(signature(function).parameters)
    if function.__name__ in _EXACT or not _REAL & set(names):
        return function

    def real(name: str, value: object) -> object:
        is_whole = isinstance(value, np.ndarray) and value.dtype.kind in "biu"
        return np.asarray(value, np.float64) if is_whole and name in _REAL else value

    @wraps(function)
    def call(*args: object, **options: object) -> Any:
        given = [real(name, value) for name, value in zip(names, args, strict=False)]
        named = {name: real(name, value) for name, value in options.items()}
        return function(*given, *args[len(names) :], **named)

    return call
