"""Paths, as users give them."""

from __future__ import annotations

from pathlib import Path

from fastdl.errors import ArgumentError
from fastdl.typing import StrPath


def as_path(path: StrPath, who: str = "") -> Path:
    """Return a path; ArgumentError for what is none, such as None or a number.

    What `who` says, if anything, is in front of the message.
    """
    try:
        return Path(path)
    except TypeError:
        raise ArgumentError(
            f"{who}{': ' * bool(who)}expected a path, a text or an os.PathLike, got "
            f"{path!r:.60}"
        ) from None
