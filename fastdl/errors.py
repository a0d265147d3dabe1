"""Errors that fastdl raises. All derive from `FastdlError`.

Each class also derives from the built-in exception that a NumPy user expects, so
`except ValueError` works as well as `except fastdl.FastdlError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

_LISTED = 50  # choices in a message
_LINES = 10  # of one kind in a message


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


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return the end of an error message that helps a user with a misspelt name.

    Parameters
    ----------
    name
        What the user wrote.
    choices
        The names that exist.

    Returns
    -------
    str
        ``"; did you mean 'relu'?"`` when one of the names is near, else
        ``"; choose from 'relu', 'tanh'"``; nothing where there is nothing to choose.
    """
    choices = list(choices)
    hint = near(name, choices)
    if hint or not choices:
        return hint
    more = ", ..." if len(choices) > _LISTED else ""
    shown = ", ".join(repr(choice) for choice in choices[:_LISTED])
    return f"; choose from {shown}{more}"


def near(name: str, choices: Iterable[str]) -> str:
    """Return the first kind of what `suggest` returns, or "" if no name is near."""
    lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(str(name).lower(), lower, n=1)
    return f"; did you mean {lower[found[0]]!r}?" if found else ""


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
