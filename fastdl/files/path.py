"""Paths, as users give them."""

from __future__ import annotations

import os
from pathlib import Path

from fastdl.errors import ArgumentError
from fastdl.typing import StrPath


def as_path(path: StrPath, who: str = "") -> Path:
    """Return a path; ArgumentError for what is none, such as None or a number.

    What `who` says, if anything, is in front of the message.
    """
    try:
        made = Path(path)
        if b"\0" in os.fsencode(made):
            raise ValueError
    except ValueError:  # such a character, or one that no name of a file can have
        start = f"{who}: " if who else ""
        raise ArgumentError(f"{start}no file can be called {path!r:.60}") from None
    except TypeError:
        raise ArgumentError(
            f"{who}{': ' * bool(who)}expected a path, a text or an os.PathLike, got "
            f"{path!r:.60}"
        ) from None
    return made
