"""Paths, as users give them."""

from __future__ import annotations

from pathlib import Path

from fastdl.errors import ArgumentError
from fastdl.typing import StrPath


def as_path(path: StrPath) -> Path:
    """Return a path; ArgumentError for what is none, such as None or a number."""
    try:
        return Path(path)
    except TypeError:
        raise ArgumentError(
            f"expected a path, a text or an os.PathLike, got {path!r:.60}"
        ) from None
