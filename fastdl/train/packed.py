"""What objects have gathered, such as metrics, as JSON and arrays.

Nothing is pickled: the values are put into objects of the same kind that have gathered
nothing yet, which the program makes, and not the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastdl.errors import DataError
from fastdl.metrics import Metric
from fastdl.typing import Json

_KINDS = (bool, (int, float, np.number), str, np.ndarray, list, tuple, dict, set)
_CONTAINERS = {kind.__name__: kind for kind in (list, tuple, set)}


class UnknownKindError(TypeError):
    """A value cannot be packed; the message says what it is."""


def pack(value: object, fresh: object, arrays: dict[str, np.ndarray]) -> Json:
    """Return a value as JSON; the arrays in it go into `arrays`.

    Numbers, texts, arrays, containers and attributes of objects are packed. Functions
    are settings, which the fresh object has too.

    Parameters
    ----------
    value : object
        What has gathered something.
    fresh : object
        The same, having gathered nothing.
    arrays : dict
        Gets the arrays, by names of its own.

    Raises
    ------
    UnknownKindError
        There is something else in it.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.itemsize > 8:
            raise UnknownKindError(f"an array of {array.dtype}")
        name = str(len(arrays))
        arrays[name] = array.copy()
        return {"scalar" if isinstance(value, np.generic) else "array": name}
    if type(value) is dict or (isinstance(value, dict) and type(value) is type(fresh)):
        known = fresh if isinstance(fresh, dict) else {}
        pairs = [
            [pack(key, None, arrays), pack(each, known.get(key), arrays)]
            for key, each in value.items()
        ]
        return {"dict": pairs}
    for kind, container in _CONTAINERS.items():
        if type(value) is container:
            items: Any = value
            paired = zip(items, _beside(fresh, len(items)), strict=True)
            return {kind: [pack(each, other, arrays) for each, other in paired]}
    if type(value) is not type(fresh) or not hasattr(value, "__dict__"):
        raise UnknownKindError(f"a {type(value).__name__}")
    if callable(value) and not isinstance(value, Metric):
        return {"object": {}}
    own = vars(fresh)
    return {
        "object": {
            name: pack(each, own.get(name), arrays)
            for name, each in vars(value).items()
        }
    }


def unpack(packed: Json, fresh: object, arrays: Mapping[str, np.ndarray]) -> object:
    """Return what `pack` packed; an object is `fresh`, with other attributes.

    Raises
    ------
    DataError
        It does not fit.
    """
    value = _unpacked(packed, fresh, arrays)
    if fresh is None:  # then it may become anything
        return value
    for kind in _KINDS:
        if isinstance(fresh, kind):
            fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
            break
    else:
        fits = value is fresh
    if not fits:
        raise DataError(f"expected {fresh!r:.40} or the like, got {value!r:.40}")
    return value


def _unpacked(packed: Any, fresh: object, arrays: Mapping[str, np.ndarray]) -> object:
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "scalar":
        return arrays[content][()]
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        known = fresh if isinstance(fresh, dict) else {}
        pairs = [(unpack(key, None, arrays), each) for key, each in content]
        made = {key: unpack(each, known.get(key), arrays) for key, each in pairs}
        if not known.keys() <= made.keys():
            raise DataError(f"expected {list(known)!r:.60}, got {list(made)!r:.60}")
        known.clear()
        known.update(made)
        return known
    if kind == "object":
        attributes = vars(fresh)
        for name, each in content.items():
            attributes[name] = unpack(each, attributes.get(name), arrays)
        return fresh
    paired = zip(content, _beside(fresh, len(content)), strict=True)
    return _CONTAINERS[kind](unpack(each, other, arrays) for each, other in paired)


def _beside(fresh: object, count: int) -> list[Any]:
    """Return the items of a fresh list or tuple, None for those that it lacks."""
    own = list(fresh) if isinstance(fresh, (list, tuple)) else []
    return (own + [None] * count)[:count]
