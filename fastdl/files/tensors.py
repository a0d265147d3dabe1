"""Arrays by name in one file: the safetensors format.

Eight bytes hold the length n of the header, the next n a JSON object: for each tensor
its type, its shape and where its bytes begin and end; under ``__metadata__`` texts by
name. The bytes of all tensors follow without a gap. Any safetensors reader reads what
is written here, and files of any writer are read.

The format has no checksum, so one stands among the texts: the SHA-256 of the header
without it (as JSON with sorted keys) and of all the bytes. A file without one is taken
as it is.

Written here and not by the package ``safetensors``, because a full disk must be an
OSError with the path, and what the header declares must be held against the length of
the file, and the checksum against the bytes, before anything is believed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.files.replace import replaced

_DTYPES = {
    "BOOL": "?",
    "I8": "i1",
    "U8": "u1",
    "I16": "<i2",
    "U16": "<u2",
    "F16": "<f2",
    "I32": "<i4",
    "U32": "<u4",
    "F32": "<f4",
    "C64": "<c8",
    "I64": "<i8",
    "U64": "<u8",
    "F64": "<f8",
}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_FIELDS = ("dtype", "shape", "data_offsets")
_METADATA = "__metadata__"
_CHECKSUM = "fastdl.sha256"
_LARGEST_HEADER = 100_000_000  # bytes; the limit of the format


def write_tensors(
    state: Mapping[str, np.ndarray],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str],
) -> None:
    """Write arrays by name, and texts by name, as one file.

    Parameters
    ----------
    state : mapping of str to ndarray
        Arrays of numbers or bools.
    path : path
        See `replaced`, which says what becomes of an existing file.
    metadata : mapping of str to str
        The texts.

    Raises
    ------
    ArgumentError
        An array of a type that the format has not.
    OSError
        The file cannot be written.
    """
    arrays = {name: _portable(array, name) for name, array in state.items()}
    # As other writers do: large elements first, so that all are aligned.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    end = 0
    for name in names:
        array, begin = arrays[name], end
        end = begin + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    digest = _digest(header)
    for name in names:
        digest.update(_bytes(arrays[name]))
    header[_METADATA][_CHECKSUM] = digest.hexdigest()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _LARGEST_HEADER:
        raise ArgumentError(
            f"{path}: the names and texts take {len(text)} bytes, the format allows "
            f"{_LARGEST_HEADER}"
        )
    with replaced(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in names:
            file.write(_bytes(arrays[name]))


def read_tensors(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the texts of a file.

    No memory is taken before the length of the file has shown that it is filled.

    Raises
    ------
    DataError
        There is no such file; it is no safetensors file, or cut off; it is not what was
        written (the checksum differs); or it has a type that NumPy has not.
    OSError
        The file may not be read.
    """
    if not Path(path).is_file():
        raise DataError(f"no file {path}")
    with open(path, "rb") as file:
        try:
            header, room = _read_header(file)
            metadata = _pop_metadata(header)
            checksum = metadata.pop(_CHECKSUM, None)
            entries = _entries(header, room)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path} is no safetensors file, or it is cut off ({error})"
            ) from error
        digest = _digest({_METADATA: metadata, **header})
        state = {}
        for entry in entries:
            state[entry.name] = _read_array(file, entry, path)
            digest.update(_bytes(state[entry.name]))
    if checksum is not None and checksum != digest.hexdigest():
        raise DataError(
            f"{path} is damaged: its content has another checksum than when it was "
            f"written; take a copy of it from elsewhere (a program that changes the "
            f"file on purpose should leave out {_CHECKSUM!r} of its metadata)"
        )
    return state, metadata


def _portable(array: Any, name: str) -> np.ndarray:
    """Return the array C-contiguous and little-endian, as the format has it."""
    array = np.asarray(array, order="C")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype not in _NAMES or name == _METADATA:
        raise ArgumentError(
            f"cannot write {name!r} of type {array.dtype} to a safetensors file"
        )
    return array


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _digest(header: dict[str, Any]) -> Any:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode())


class _Entry(NamedTuple):
    name: str
    dtype: str
    shape: list[int]
    begin: int
    end: int


# These raise ValueError with the reason.


def _read_header(file: BufferedReader) -> tuple[dict[str, Any], int]:
    """Return the header, and how many bytes there are for tensors."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    room = size - 8 - length
    if room < 0 or length > _LARGEST_HEADER:
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    header = json.loads(file.read(length).decode())
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    return header, room


def _pop_metadata(header: dict[str, Any]) -> dict[str, str]:
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(
        isinstance(text, str) for text in metadata.values()
    ):
        raise ValueError("the metadata are no texts")
    return metadata


def _entries(header: dict[str, Any], room: int) -> list[_Entry]:
    """Return the tensors in the order of the file, of which they fill every byte."""
    entries = [_entry(name, fields) for name, fields in header.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    place = 0
    for entry in entries:
        if entry.begin != place:
            raise ValueError(f"{entry.name!r} begins at {entry.begin}, not at {place}")
        place = entry.end
    if place != room:
        raise ValueError(f"tensors of {place} bytes in {room}")
    return entries


def _entry(name: str, fields: Any) -> _Entry:
    if not isinstance(fields, dict) or sorted(fields) != sorted(_FIELDS):
        raise ValueError(f"{name!r} needs {', '.join(_FIELDS)}")
    dtype, shape, place = (fields[field] for field in _FIELDS)
    if not (isinstance(dtype, str) and _are_sizes(shape) and _are_sizes(place)):
        raise ValueError(f"{name!r} has a type, shape or place that is none")
    begin, end = place if len(place) == 2 else (0, -1)
    size = end - begin
    if dtype in _DTYPES:
        size = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if end < begin or size != end - begin:
        raise ValueError(f"{name!r} of shape {shape} lies in {place}")
    return _Entry(name, dtype, shape, begin, end)


def _are_sizes(values: Any) -> bool:
    """Whether it is a list as NumPy takes it; its product is computed quickly."""
    return (
        isinstance(values, list)
        and len(values) <= 64
        and all(type(n) is int and 0 <= n < 2**63 for n in values)
    )


def _read_array(file: BufferedReader, entry: _Entry, path: Any) -> np.ndarray:
    if entry.dtype not in _DTYPES:
        raise DataError(
            f"{path}: {entry.name!r} has the type {entry.dtype!r:.20}, which NumPy has "
            f"not; convert it to float32"
        )
    try:
        array = np.empty(entry.shape, _DTYPES[entry.dtype])
    except (ValueError, MemoryError) as error:
        raise DataError(
            f"{path}: {entry.name!r} of shape {entry.shape}: {error}"
        ) from error
    if file.readinto(_bytes(array)) != array.nbytes:
        raise DataError(f"{path} is cut off in {entry.name!r}")
    return array
