"""Results kept for the arguments of earlier calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def remember(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of sizes compute its result once for the same arguments.

    A layer asks for the same sizes at each step. Errors are not kept, and neither are
    results of arguments that would have to be checked again: 1, 1.0, True and
    ``np.int64(1)`` are equal, but not all are sizes.
    """
    remembered = lru_cache(maxsize=1024)(function)

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        if _is_plain(args) and (not options or _is_plain(tuple(options.values()))):
            return remembered(*args, **options)  # type: ignore[arg-type]
        return function(*args, **options)

    return call


def _is_plain(values: tuple[Any, ...]) -> bool:
    """Whether there are only integers, strings, None, and tuples of them."""
    for value in values:
        kind = type(value)
        if kind is tuple:
            if not _is_plain(value):
                return False
        elif kind is not int and kind is not str and value is not None:
            return False
    return True
