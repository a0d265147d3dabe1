"""Errors that fastdl raises. All derive from `FastdlError`.

Each class also derives from the built-in exception that a NumPy user expects, so
``except ValueError`` works as well as ``except fastdl.FastdlError``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from fastdl.words import LOCAL, key, meanings, spellings

_LISTED = 50  # choices in a message
_LINES = 10  # of one kind in a message
# Less, and among many short names one is near to anything: "onnx" to "nn".
_NEAR = {"fastdl": 0.7, "arguments": 0.7}


class FastdlError(Exception):
    """The base of all errors that fastdl raises."""


class ArgumentError(FastdlError, ValueError):
    """An argument is out of range, or a name is unknown."""


class ShapeError(FastdlError, ValueError):
    """Shapes do not fit each other or the operation."""


class DtypeError(FastdlError, TypeError):
    """An array has a type that the operation does not accept."""


class DataError(FastdlError, ValueError):
    """A data set, file or download is missing, damaged or empty."""


class NonFiniteError(FastdlError, FloatingPointError):
    """A NaN or an infinity turned up where only finite numbers make sense."""


class GraphError(FastdlError, RuntimeError):
    """The tape was used in the wrong way or at the wrong time."""


class SharingError(FastdlError, BufferError):
    """Memory cannot be shared with another library."""


def suggest(name: str, choices: Iterable[str], place: str = "") -> str:
    """Return the end of an error message that helps a user with an unknown name.

    Parameters
    ----------
    name
        What the user wrote.
    choices
        The names that exist.
    place
        Where in the table of `fastdl.words` the name belongs, if anywhere: then other
        frameworks' words for what has no name among the choices are told too.

    Returns
    -------
    str
        ``"; did you mean 'relu'?"`` when one of the names is near, or ours for a word
        of another framework; else ``"; choose from 'relu', 'tanh'"``; nothing where
        there is nothing to choose.
    """
    choices = list(choices)
    hint = near(name, choices, place)
    if hint or not choices:
        return hint
    more = ", ..." if len(choices) > _LISTED else ""
    shown = ", ".join(repr(choice) for choice in choices[:_LISTED])
    return f"; choose from {shown}{more}"


def near(name: str, choices: Iterable[str], place: str = "") -> str:
    """Return what `suggest` returns, or "" if neither a name nor a word is near."""
    name, choices = str(name), list(choices)
    by_key = {key(choice): choice for choice in choices}
    # PyTorch's "xavier_uniform_" is another rule than our "xavier_uniform".
    if key(name) in by_key and name not in spellings(place):
        return _meant(by_key[key(name)])
    hint = _translated(name, choices, place)
    if hint:
        return hint
    lower = {choice.lower(): choice for choice in choices}
    cutoff = _NEAR.get(place, 0.6)
    if found := difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff):
        return _meant(lower[found[0]])
    if found := difflib.get_close_matches(name, spellings(place), n=1, cutoff=0.8):
        return _translated(found[0], choices, place)
    return ""


def _translated(name: str, choices: list[str], place: str) -> str:
    """Return the hint of the table of words; "" if it has no fitting line."""
    measure = name.removeprefix("val_")  # as a trainer calls what it measures
    prefix = name[: len(name) - len(measure)]
    for word in meanings(measure, place):
        ours = prefix + word.ours.rpartition(".")[2]
        if ours in choices:
            return _meant(ours, word.how)
        if place and not word.ours:
            return f"; {word.how}"
        if place and place not in LOCAL:
            return _meant(f"fastdl.{word.ours}", word.how)
    return ""


def _meant(name: str, how: str = "") -> str:
    return f"; did you mean {name!r}?" + (f" ({how})" if how else "")


def listed(kind: str, names: Sequence[str], about: Callable[[str], str]) -> str:
    """Return lines of a message about the first names, and the number of the others.

    Parameters
    ----------
    kind
        The word before each name, such as "missing".
    names
        What the lines are about; none give no line.
    about
        What follows a name.
    """
    lines = [f"\n  {kind} '{name:.200}'{about(name)}" for name in names[:_LINES]]
    more = len(names) - _LINES
    return "".join(lines) + (f"\n  {kind}: {more} more" if more > 0 else "")
