"""What came from elsewhere may be damaged, or made to do damage."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastdl.errors import DataError, FastdlError


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Turn whatever a parser makes of a damaged file into a DataError that names it.

    Parsers of other packages and of the standard library raise nearly anything for
    files that were changed: KeyError, NotImplementedError, RecursionError, MemoryError,
    tokenize.TokenError, ... Errors of fastdl pass.

    Parameters
    ----------
    path
        What the message calls the file.
    """
    try:
        yield
    except FastdlError:
        raise
    except Exception as why:
        reason = " ".join(str(why).split()) or type(why).__name__
        raise DataError(f"{path} cannot be read: {reason}") from why


def parse_json(text: str | bytes, source: object) -> Any:
    """Return what a JSON text in UTF-8 holds.

    Raises
    ------
    DataError
        It is no JSON, or nested too deeply; the message begins with `source`.
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is damaged: {error}") from error


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    DataError
        It is no regular file, or as `parse_json`.
    OSError
        It may not be read.
    """
    if not Path(path).is_file():  # a pipe would block, a device may have no end
        raise DataError(f"no file {path}")
    return parse_json(Path(path).read_bytes(), path)
