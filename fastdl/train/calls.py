"""Methods whose options are given by name, and say so."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from fastdl.errors import suggest

P = ParamSpec("P")
R = TypeVar("R")

_SHOWN = 3


def options_by_name(method: Callable[P, R]) -> Callable[P, R]:
    """Tell the user of a method which options it has, and what goes without a name.

    Python says the same as "takes from 2 to 3 positional arguments but 4 were given".

    Raises
    ------
    TypeError
        When the method is called, as Python would.
    """
    name = method.__name__
    parameters = list(inspect.signature(method).parameters.values())[1:]
    options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    places = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    known = [*places, *options]

    @wraps(method)
    def checked(*arguments: P.args, **named: P.kwargs) -> R:
        if options and len(arguments) > 1 + len(places):
            examples = ", ".join(f"{each}=" for each in options[:_SHOWN])
            raise TypeError(
                f"{name}: options are given by name ({examples}, ...), and only "
                f"{' and '.join(places)} without; got "
                f"{arguments[1 + len(places)]!r:.60} in place {len(places) + 1}"
            )
        for option in named:
            if option not in known:
                hint = suggest(option, known, "arguments")
                raise TypeError(f"{name}: there is no option {option!r}{hint}")
        return method(*arguments, **named)

    return checked
