"""Files from elsewhere may be damaged, or crafted to do damage."""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.files.path import as_path
from fastdl.typing import StrPath

SMALL = 2**24  # bytes; far more than any settings file has
# Of objects and lists in one another, far below what Python's stack allows those who
# go through them.
_DEEPEST = 200
_BLOCK = 2**16


class Readable(Protocol):
    """Something to read from: an open file, or a stream that inflates one."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


@contextmanager
def reading(path: object, kind: str = "") -> Iterator[None]:
    """Turn whatever a parser raises for a damaged file into a DataError that names it.

    Parsers, in other packages and in the standard library, raise nearly anything for
    a corrupted file: KeyError, NotImplementedError, RecursionError, MemoryError,
    tokenize.TokenError, ... fastdl's own errors pass through.

    Parameters
    ----------
    path
        What the message calls the file.
    kind : str
        Follows "cannot be read" in the message, such as "as a picture".
    """
    try:
        yield
    except FastdlError:
        raise
    except Exception as why:
        reason = " ".join(str(why).split()) or type(why).__name__
        failure = f"{path} cannot be read {kind}".rstrip()
        raise DataError(f"{failure}: {reason}") from why


def inflated_limit(path: StrPath) -> int:
    """Return the most bytes that a deflated file (gzip, zip) can possibly hold.

    A deflate stream needs at least 2 bits for a copy of at most 258 bytes.
    """
    return 1032 * os.path.getsize(path)


def read_into(file: Readable, array: np.ndarray) -> int:
    """Fill an array from an open file; return the number of bytes read.

    In blocks: the standard library's inflating files would first copy everything.
    """
    room = array.reshape(-1).view(np.uint8).data
    done = 0
    while block := file.read(min(_BLOCK, len(room) - done)):
        room[done : done + len(block)] = block
        done += len(block)
    return done


def parse_json(text: str | bytes, source: object) -> Any:
    """Parse a JSON text in UTF-8.

    Raises
    ------
    DataError
        It is not JSON, has a key twice in one object, or is nested too deeply; the
        message begins with `source`.
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_without_twins)
        _check_depth(value)
        return value
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is damaged: {error}") from error


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a dict; ValueError where the second would hide the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twin, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it has {twin!r:.60} twice")
    return found


def _check_depth(value: object) -> None:
    """Raise ValueError if dicts and lists are nested too deeply."""
    level: list[Any] = [[value]]
    for _ in range(_DEEPEST):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise ValueError(f"it is nested too deeply, more than {_DEEPEST} levels")


def read_json(path: StrPath) -> Any:
    """Parse a small JSON file; raises like `parse_json` and `read_file`."""
    return parse_json(read_file(path, SMALL), path)


def read_toml(path: StrPath) -> dict[str, Any]:
    """Parse a small TOML file.

    Raises
    ------
    DataError
        It is not TOML, or as for `read_file`.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    content = read_file(path, SMALL)
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
        _check_depth(tables)
        return tables
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no TOML: {error}") from None


def read_settings(path: StrPath) -> dict[str, Any]:
    """Parse a small file of values by name: JSON if it begins with "{", else TOML.

    A file that is called .json or .toml is what it is called.

    Raises
    ------
    DataError
        It has something else, or as for `read_file`.
    """
    kind = as_path(path).suffix.lower()
    if kind not in (".json", ".toml"):
        content = read_file(path, SMALL).removeprefix(codecs.BOM_UTF8)
        kind = ".json" if content.lstrip().startswith(b"{") else ".toml"
    if kind == ".toml":
        return read_toml(path)
    settings = read_json(path)
    if not isinstance(settings, dict):
        raise DataError(f"{path} holds no settings, which are a JSON object")
    return settings


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Put the name of a file before what is said of its values.

    That is fastdl's errors, and whatever else a value of a wrong type, or one that is
    too large, causes where no check of ours sees it first.
    """
    try:
        yield
    except FastdlError as error:
        raise type(error)(f"{path}: {error}") from None
    except Exception as why:
        raise ArgumentError(f"{path}: {type(why).__name__}: {why}") from why


def read_file(path: StrPath, limit: int | None = None) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    path : path
        The file.
    limit : int, optional
        The most bytes it may have.

    Raises
    ------
    ArgumentError
        `path` is no path.
    DataError
        It is not a regular file (a pipe would block, a device may have no end), or it
        is larger than `limit`.
    OSError
        There is no permission to read it.
    """
    file = as_path(path)
    if not file.is_file():
        what = ""
        if file.exists():
            what = "a folder" if file.is_dir() else "a pipe, socket or device"
        raise DataError(f"no file {path}" + (f": it is {what}" if what else ""))
    if limit is not None and os.path.getsize(file) > limit:
        raise DataError(f"{path} is damaged: it has more than {limit:,} bytes")
    return file.read_bytes()
