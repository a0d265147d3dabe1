"""Models by name, for the command line and for recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from typing import TypeVar

from fastdl import exports
from fastdl.errors import ArgumentError, suggest
from fastdl.nn import Module

F = TypeVar("F", bound=Callable[..., Module])

_models: dict[str, Callable[..., Module]] = {}


def register(function: F) -> F:
    """Register a model under the name of the function that builds it; a decorator.

    The function takes ``classes=`` and leaves the input size open if it can.
    """
    _models[function.__name__] = explained = exports.explained(function)
    return explained


def names() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(_models)


def options(name: str) -> list[str]:
    """Return the names of the arguments of a model's function besides `classes`."""
    return [
        option for option in signature(_find(name)).parameters if option != "classes"
    ]


def check_options(name: str, given: Iterable[str], who: str = "") -> None:
    """Raise ArgumentError, with a near match, for arguments that a model has not.

    What `who` says is in front of the message.
    """
    parameters = signature(_find(name)).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    known = options(name)
    for option in given:
        if option not in known:
            # A recipe takes the number of classes from its data.
            choices = known if who else [*known, "classes"]
            hint = suggest(option, choices, "arguments")
            raise ArgumentError(f"{who}the model {name!r} has no {option!r}{hint}")


def create(name: str, classes: int | None = None, **options: object) -> Module:
    """Make a model with fresh weights.

    Parameters
    ----------
    name : str
        One of `names`.
    classes : int, optional
        Number of outputs (logits); by default that of the published network.
    **options
        Further arguments of the model's function.

    Returns
    -------
    Module
        Its input size is open: call ``build(input_shape)``, or the model with a batch.

    Raises
    ------
    ArgumentError
        The name, or an option, is unknown; the message names a near match.
    """
    check_options(name, options)
    if classes is not None:
        options["classes"] = classes
    return _find(name)(**options)


def _find(name: str) -> Callable[..., Module]:
    if name not in _models:
        hint = suggest(name, _models, "models")
        raise ArgumentError(f"unknown model {name!r}{hint}")
    return _models[name]
