"""Any object as plain JSON data: objects that do the same thing look the same.

Numbers, texts and containers stand for themselves. An array is described by its dtype,
its shape and a digest of its values; a module by its class and arguments; a function by
its name, its code and its closure; a class by its name and, outside fastdl, the code of
its methods and its plain values; any other object by its class and arguments.

The arguments of an object are those of its constructor, if all of them are kept as
attributes of the same names; counters and caches beside them do not count. Otherwise,
and for the classes of fastdl, they are all its public attributes.

This cannot be complete. It misses what a function reads from elsewhere (a global, a
file), what C code does, and what an object keeps under a private name; and another
version of Python compiles the same code differently. A path says where something is,
not what it is, so it is left out; for files, loggers and Python modules only the class
is described.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from io import IOBase
from logging import Logger
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, overload

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import FastdlError
from fastdl.nn import Module
from fastdl.typing import Json

_LONGEST = 64  # items; a longer list is described by a digest
_ROWS = 2**24  # bytes hashed at a time
_ADDRESS = " at 0x"  # in the default repr of an object
_OUTSIDE = (IOBase, Logger, ModuleType)  # they refer to half of the process
# Attributes of a module that are not settings.
_PASSING = ("training", "input_shape", "class_names")


@overload
def describe(value: Mapping[str, object]) -> dict[str, Json]: ...
@overload
def describe(value: object) -> Json: ...
def describe(value: object) -> Json:
    """Return JSON data that is the same for two objects that do the same thing."""
    try:
        return _Describer().of(value)
    except RecursionError:  # a list that contains itself
        return {"class": name_of(type(value))}


def text_of(description: Json) -> str:
    """Return the text by which descriptions are compared."""
    return json.dumps(description, sort_keys=True)


def describe_array(
    array: np.ndarray, rows: np.ndarray | None = None
) -> dict[str, Json]:
    """Describe an array, or some rows of it, without copying the whole.

    Parameters
    ----------
    array : ndarray, (m, ...)
        Numbers.
    rows : ndarray of int, optional
        The description is that of ``array[rows]``.
    """
    count = array.shape[:1] if rows is None else (len(rows),)
    return {
        "dtype": array.dtype.name,
        "shape": [*count, *array.shape[1:]],
        "digest": _digest(_pieces(array, rows)),
    }


def described_class(cls: type) -> dict[str, Json]:
    """Return the name of a class and, unless it is fastdl's, a digest of its code."""
    named: dict[str, Json] = {"class": name_of(cls)}
    if _is_ours(cls):
        return named
    parts = [
        [name, part]
        for each in cls.__mro__
        if not _is_ours(each)
        for name, value in sorted(vars(each).items())
        if (part := _part_of_class(name, value)) is not None
    ]
    return named | {"code": _digest([text_of(parts).encode()])} if parts else named


class _Describer:
    """Describes an object; each object inside only once, so that cycles end."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def of(self, value: object) -> Json:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)  # 1 and 1.0 are the same
        if value is None or isinstance(value, (bool, float, str)):
            return value
        if isinstance(value, int):
            return value if abs(value) < 2**63 else hex(value)
        if isinstance(value, PurePath):
            return None
        if isinstance(value, _OUTSIDE):
            return {"class": name_of(type(value))}
        if isinstance(value, (bytes, bytearray)):
            return _digest([bytes(value)])
        if isinstance(value, (Tensor, np.ndarray)):
            return self._array(value.data if isinstance(value, Tensor) else value)
        if isinstance(value, Mapping):
            return self._fields(value)
        if isinstance(value, (list, tuple)):
            return _shortened(list(map(self.of, value)))
        if isinstance(value, (set, frozenset)):
            return _shortened(sorted(map(self.of, value), key=text_of))
        if isinstance(value, Module):
            return {
                name or "itself": self._object(module, _arguments(module))
                for name, module in value.named_modules()
            }
        return self._callable(value) if callable(value) else self._unknown(value)

    def _fields(self, fields: Mapping) -> dict[str, Json]:
        return {str(name): self.of(part) for name, part in fields.items()}

    def _array(self, array: np.ndarray) -> Json:
        if array.dtype.kind == "O":
            return self.of(array.tolist())
        return describe_array(array)

    def _callable(self, value: Callable[..., object]) -> Json:
        if isinstance(value, partial):
            return {
                "function": self.of(value.func),
                "args": self.of(value.args),
                "keywords": self.of(value.keywords),
            }
        if isinstance(value, MethodType):
            return {"method": value.__name__, "of": self.of(value.__self__)}
        if isinstance(value, FunctionType):
            return self._function(value)
        # What has a name is a class, or written in C.
        return name_of(value) if hasattr(value, "__name__") else self._unknown(value)

    def _function(self, function: FunctionType) -> Json:
        """Describe a function; for fastdl's own the name and the closure are enough."""
        fields = _closure(function)
        if not _is_ours(function):
            fields["defaults"] = [function.__defaults__, function.__kwdefaults__]
            fields["code"] = _code(function.__code__)
        name = name_of(function)
        return self._once(function, {"function": name}, fields) if fields else name

    def _unknown(self, value: object) -> Json:
        fields = _made_with(value)
        if not fields and _ADDRESS not in repr(value):  # a complex number, a date, ...
            fields = {"value": repr(value)}
        return self._object(value, fields)

    def _object(self, value: object, fields: dict[str, object]) -> Json:
        return self._once(value, described_class(type(value)), fields)

    def _once(
        self, value: object, head: dict[str, Json], fields: dict[str, object]
    ) -> Json:
        if id(value) in self._numbers:
            return f"object {self._numbers[id(value)]} again"
        self._numbers[id(value)] = len(self._numbers)
        return head | self._fields(fields)


def name_of(thing: Callable[..., object]) -> str:
    """Return the name of a class or function, with its module unless it is fastdl's."""
    name = getattr(thing, "__qualname__", thing.__name__)
    return name if _is_ours(thing) else f"{_module_of(thing)}.{name}"


def _is_ours(thing: object) -> bool:
    return _module_of(thing).partition(".")[0] == "fastdl"


def _module_of(thing: object) -> str:
    return getattr(thing, "__module__", None) or "builtins"


def _shortened(items: list[Json]) -> Json:
    if len(items) <= _LONGEST:
        return items
    return {"length": len(items), "digest": _digest([text_of(items).encode()])}


def _closure(function: FunctionType) -> dict[str, object]:
    """Return the variables of outer functions that a function uses."""
    values: dict[str, object] = {}
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not set yet by the outer function
            values[name] = cell.cell_contents
    return values


def _code(code: CodeType) -> str:
    """Return a digest of compiled code, without its line numbers."""
    parts = [code.co_code.hex(), *code.co_names, *map(_constant, code.co_consts)]
    return _digest([text_of(parts).encode()])


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, frozenset):  # its order changes from run to run
        return repr(sorted(map(repr, value)))
    return repr(value)


def _part_of_class(name: str, value: Any) -> str | None:
    """Describe an attribute of a class; None if it is no code and no plain value."""
    for kind in ("fget", "func"):  # of a property, of a cached property
        value = getattr(value, kind, value)
    function = inspect.unwrap(value)
    if isinstance(function, FunctionType):
        return _code(function.__code__)
    plain = isinstance(value, (bool, int, float, str, tuple))
    return repr(value) if plain and not name.startswith("_") else None


def _arguments(module: Module) -> dict[str, object]:
    """Return the arguments of a module, as far as they are known.

    Modules inside it are described separately.
    """
    try:
        arguments = module.config()
    except FastdlError:  # arguments that are not kept as attributes
        arguments = {}
    if not _is_ours(type(module)):
        arguments = _public(module) | arguments
    newer = {name: _default(module, name) for name in module._newer_arguments}
    kept = {
        name: value
        for name, value in arguments.items()
        if name not in (*_PASSING, *module._buffer_names)
        and not _has_parts(value)
        and not (name in newer and value == newer[name])
    }
    return kept | ({"frozen": True} if module.frozen else {})


def _default(module: Module, name: str) -> object:
    """Return the default of an argument; a subclass may lack it."""
    signatures = map(inspect.signature, type(module).__mro__)
    return next(
        signature.parameters[name].default
        for signature in signatures
        if name in signature.parameters
    )


def _has_parts(value: object) -> bool:
    """Whether it is or contains a module or tensor, which is described elsewhere."""
    if isinstance(value, Mapping):
        return any(map(_has_parts, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_parts, value))
    return isinstance(value, (Module, Tensor))


def _made_with(value: object) -> dict[str, object]:
    """Return the arguments of an object's constructor, or its public attributes."""
    fields = _public(value)
    if _is_ours(type(value)):
        return fields
    try:
        names = inspect.signature(type(value)).parameters
    except (TypeError, ValueError):  # written in C
        return fields
    known = all(name in fields for name in names)
    return {name: fields[name] for name in names} if known else fields


def _public(value: object) -> dict[str, object]:
    """Return the attributes of an object whose names do not begin with _."""
    slots = (getattr(cls, "__slots__", ()) for cls in type(value).__mro__)
    names = [name for own in slots for name in ([own] if isinstance(own, str) else own)]
    fields = {name: getattr(value, name) for name in names if hasattr(value, name)}
    fields |= getattr(value, "__dict__", {})
    return {name: each for name, each in fields.items() if not name.startswith("_")}


def _pieces(array: np.ndarray, rows: np.ndarray | None) -> Iterator[memoryview]:
    """Yield the bytes of an array's rows, some at a time, in native byte order."""
    array = np.atleast_1d(array)
    count = len(array) if rows is None else len(rows)
    step = max(1, _ROWS // max(1, array[:1].nbytes))
    for start in range(0, count, step):
        chosen = slice(start, start + step)
        piece = array[chosen] if rows is None else array[rows[chosen]]
        native = piece.dtype.newbyteorder("=")
        piece = np.ascontiguousarray(piece).astype(native, copy=False)
        if piece.size:
            yield piece.reshape(-1).view(np.uint8).data


def _digest(pieces: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
