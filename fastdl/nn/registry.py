"""Layers by name: a module as plain JSON data, and back."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import numpy as np

from fastdl.errors import ArgumentError, DataError, FastdlError, suggest
from fastdl.nn.module import Module

C = TypeVar("C", bound=type[Module])

_layers: dict[str, type[Module]] = {}
_DICT = "dict"  # in place of the class name of a module
# The nesting of modules and lists; far below what Python's stack allows in forward.
_DEEPEST = 64


def register(cls: C) -> C:
    """Register a module class under its name, so that models with it can be saved.

    Use it as a decorator. Each constructor argument must be kept as an attribute of the
    same name, unless the class has its own ``config`` method.

    Raises
    ------
    ArgumentError
        The name is taken by a class from another file.
    """
    known = _layers.get(cls.__name__, cls)
    if known.__module__ != cls.__module__:
        raise ArgumentError(
            f"register: the name {cls.__name__} is taken by {known.__module__}; "
            f"choose another class name"
        )
    _layers[cls.__name__] = cls
    return cls


def to_config(module: Module) -> dict[str, Any]:
    """Describe a module and everything inside as JSON data, without the weights.

    Returns
    -------
    dict
        ``{"class": name, argument: value, ...}``; modules among the arguments are
        described in the same way.

    Raises
    ------
    FastdlError
        A class is not registered, an argument is not a plain value, a module with
        parameters is used twice, or modules are nested too deeply.
    """
    seen: set[int] = set()

    def encode(value: object, owner: str, depth: int) -> Any:
        if isinstance(value, (Module, list, tuple, dict)) and depth > _DEEPEST:
            raise FastdlError(
                f"to_config: modules and lists nest deeper than {_DEEPEST}"
            )
        if isinstance(value, Module):
            return describe(value, depth)
        if isinstance(value, (list, tuple)):
            return [encode(item, owner, depth + 1) for item in value]
        if isinstance(value, dict):
            items = encode(list(value.items()), owner, depth + 1)
            return {"class": _DICT, "items": items}
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise FastdlError(
            f"to_config: an argument of {owner} is a {type(value).__name__}; "
            f"only numbers, strings, lists, dicts and modules can be described; save "
            f"the weights alone by save_weights"
        )

    def describe(module: Module, depth: int) -> dict[str, Any]:
        name = type(module).__name__
        if _layers.get(name) is not type(module):
            raise FastdlError(
                f"to_config: the class {name} is not registered; decorate it with "
                f"@fastdl.nn.register, or save its weights alone by save_weights"
            )
        if id(module) in seen and module.state_dict():
            raise FastdlError(
                f"to_config: one {name} object stands at two places of the model; "
                f"shared layers cannot be described, save the weights alone by "
                f"save_weights"
            )
        seen.add(id(module))
        config = module.config()
        return {"class": name} | {
            key: encode(value, name, depth + 1) for key, value in config.items()
        }

    return describe(module, 0)


def from_config(config: dict[str, Any]) -> Module:
    """Construct a module, with fresh weights, from what `to_config` returned.

    Raises
    ------
    FastdlError
        A class is unknown; the message names a near match.
    DataError
        The data do not describe a module, or the arguments do not fit the class.
    """
    return _construct(config, ())


def _construct(config: object, place: tuple[str, ...]) -> Module:
    if not isinstance(config, dict) or "class" not in config:
        raise DataError(
            f"from_config: expected a dict with the key 'class', got {config!r:.80}"
        )
    arguments = {key: _decode(value, (*place, key)) for key, value in config.items()}
    name = arguments.pop("class")
    if not isinstance(name, str) or name not in _layers:
        raise FastdlError(
            f"from_config: unknown layer {name!r:.80}{suggest(name, _layers)}; "
            f"a class of your own must be imported and registered first"
        )
    cls = _layers[name]
    try:
        call = inspect.BoundArguments(inspect.signature(cls), {})  # type: ignore[arg-type]
        for key, value in arguments.items():
            if key not in call.signature.parameters:
                raise TypeError(f"an unexpected argument {key!r}")
            call.arguments[key] = value
        return cls(*call.args, **call.kwargs)
    except Exception as error:  # whatever a class raises for bad arguments
        label = ".".join((*place, name))
        raise DataError(f"from_config: {label}: {error}") from error


def _decode(value: Any, place: tuple[str, ...]) -> Any:
    if isinstance(value, (dict, list)) and len(place) > _DEEPEST:
        raise DataError(f"from_config: modules and lists nest deeper than {_DEEPEST}")
    if isinstance(value, dict):
        if value.get("class") == _DICT:
            return _decode_dict(value, place)
        return _construct(value, place)
    if isinstance(value, list):  # as tuples, which JSON lacks: arguments are hashable
        return tuple(_decode(item, (*place, str(i))) for i, item in enumerate(value))
    return value


def _decode_dict(value: dict[str, Any], place: tuple[str, ...]) -> dict[Any, Any]:
    items = _decode(value.get("items"), (*place, "items"))
    try:
        return dict(items)
    except (TypeError, ValueError) as error:
        raise DataError(f"from_config: a dict needs pairs ({error})") from error
