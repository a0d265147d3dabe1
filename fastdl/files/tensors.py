"""Arrays by name in one file: the safetensors format, by the package of that name.

The format has no checksum, so we keep one in its metadata: the SHA-256 of everything
that is read back (texts, names, types, shapes and bytes), whatever the layout. A file
without one, from another program or an earlier fastdl, is accepted as it is. A format
number, which those lack, distinguishes them from a file whose checksum was lost.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.files.damage import parse_json, read_file, reading
from fastdl.files.replace import replaced
from fastdl.typing import ArrayLike, StrPath

_DTYPES = {  # the types of the format that NumPy has too
    "BOOL": "?", "I8": "i1", "U8": "u1", "I16": "<i2", "U16": "<u2", "I32": "<i4",
    "U32": "<u4", "I64": "<i8", "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
    "C64": "<c8",
}  # fmt: skip
ASIDE = "fastdl:"  # begins the names of arrays that are not of a model
_METADATA = "__metadata__"
_CHECKSUM = "fastdl.sha256"
_FORMAT = "fastdl.format"  # a file with this has the checksum too
_LARGEST_HEADER = 100_000_000  # bytes; a limit of the format
# What pickles begin with. torch.save puts one into a zip file, as its first member.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_ZIP, _FIRST = b"PK\x03\x04", 512
_CONVERT = (
    'python -c "import sys, torch, safetensors.torch as s; s.save_file({name: '
    "value.clone().contiguous() for name, value in torch.load(sys.argv[1], "
    "map_location='cpu', weights_only=True).items()}, sys.argv[2])\""
)


def write_tensors(
    state: Mapping[str, np.ndarray],
    path: StrPath,
    metadata: Mapping[str, str],
    keep: bool = False,
) -> None:
    """Write named arrays and named texts to one file.

    The same arrays and texts always give the same bytes.

    Parameters
    ----------
    state : mapping of str to ndarray
        Arrays of numbers or bools.
    path : path
        See `replaced` for what happens to an existing file.
    metadata : mapping of str to str
        The texts.
    keep : bool
        Whether the old file is kept, see `replaced`.

    Raises
    ------
    ArgumentError
        The format lacks a type, forbids a name, or has no room for all names and texts.
    OSError
        The file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    arrays = {name: _portable(array, name) for name, array in state.items()}
    try:
        content = save(arrays)
        begin, text = _header(content)
        # The package writes texts in an order that changes from run to run, and
        # safetensors 0.4.0 cannot write a valid file of texts alone.
        header = json.loads(text)
        texts = {**metadata, _FORMAT: "2"}  # 1 had no checksum
        header[_METADATA] = {**texts, _CHECKSUM: _checksum(arrays, texts)}
        text = json.dumps(
            header, sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()
    except (SafetensorError, UnicodeEncodeError) as error:
        raise ArgumentError(
            f"{path} cannot be written as a safetensors file: {error}"
        ) from error
    text += b" " * (-len(text) % 8)  # so that the tensors are aligned
    if len(text) > _LARGEST_HEADER:
        raise ArgumentError(
            f"{path}: the names and texts take {len(text)} bytes, the format allows "
            f"{_LARGEST_HEADER}"
        )
    with replaced(path, keep) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        file.write(memoryview(content)[begin:])


def read_tensors(
    path: StrPath, aside: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the texts of a file.

    A `fastdl.Trainer` keeps arrays of its own beside the weights of its model. Their
    names begin with "fastdl:", and only who asks for what is `aside` gets them.

    The file is read, not mapped into memory: if another program truncated a mapped
    file, or the disk failed, the process would be killed instead of raising an error.
    Sizes that the file declares are compared with its length before memory is taken.

    Raises
    ------
    DataError
        The file does not exist, is not a safetensors file (of a pickle, the message has
        a line that converts it), is cut off, is not what was written (the checksum
        differs), or has a type that NumPy lacks (BF16 is read as float32, which holds
        all its numbers).
    OSError
        There is no permission to read the file.
    """
    from safetensors import deserialize

    content = read_file(path)
    try:
        with reading(path, "as a safetensors file, it may be cut off"):
            # The package copies tensors; out of memory, it aborts or hangs. We raise.
            np.empty(len(content), np.uint8)
            tensors = deserialize(content)
    except DataError:
        _refuse_pickles(path, content)  # not before: a length may begin as they do
        raise
    state = {}
    for name, tensor in tensors:
        with reading(path, f"at {name!r}"):
            dtype = tensor["dtype"]
            if dtype == "BF16":  # the upper halves of float32 numbers
                dtype, tensor["data"] = "F32", _widened(tensor["data"])
            if dtype not in _DTYPES:
                raise DataError(
                    f"{path}: {name!r} has the type {dtype!r}, which NumPy has not; "
                    f"convert it to float32"
                )
            values = np.frombuffer(tensor["data"], _DTYPES[dtype])
            state[name] = values.reshape(tensor["shape"])
    _, text = _header(content)
    metadata = parse_json(text, path).get(_METADATA) or {}
    checksum = metadata.pop(_CHECKSUM, None)
    known = checksum is not None or _FORMAT in metadata
    if known and checksum != _checksum(state, metadata):
        raise DataError(
            f"{path} is damaged: its content has another checksum than when it was "
            f"written; take a copy of it from elsewhere (a program that changes the "
            f"file on purpose should leave out {_CHECKSUM!r} and {_FORMAT!r} of its "
            f"metadata)"
        )
    metadata.pop(_FORMAT, None)
    if not aside:
        state = {n: each for n, each in state.items() if not n.startswith(ASIDE)}
    return state, metadata


def _refuse_pickles(path: StrPath, content: bytes) -> None:
    """Raise DataError if a file is a pickle, or an archive that is none."""
    is_zip = content.startswith(_ZIP)
    is_header = content[8:9] == b"{"  # behind 8 bytes of its length
    is_pickle = content.startswith(_PICKLES) and not is_header
    if is_pickle or (is_zip and b"data.pkl" in content[:_FIRST]):
        target = Path(path).with_suffix(".safetensors")
        raise DataError(
            f"{path} is a pickle, which could run anything, and is never opened here. "
            f"If you trust it, convert it where PyTorch is installed:\n"
            f"  {_CONVERT} {shlex.quote(str(path))} {shlex.quote(str(target))}"
        ) from None
    if is_zip:
        raise DataError(
            f"{path} is a zip archive, as NumPy's .npz are, and no safetensors file"
        ) from None


def _widened(bfloat16: bytes) -> np.ndarray:
    """Return the bits of float32 numbers."""
    return np.left_shift(np.frombuffer(bfloat16, "<u2"), 16, dtype="<u4")


def _portable(array: ArrayLike, name: str) -> np.ndarray:
    """Return the array C-contiguous and little-endian, as the package expects it."""
    array = np.asarray(array, order="C")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype not in _DTYPES.values() or name == _METADATA:
        raise ArgumentError(
            f"cannot write {name!r} of type {array.dtype} to a safetensors file"
        )
    return array


def _header(content: bytes) -> tuple[int, bytes]:
    """Return where the tensors of a valid file begin, and the JSON text before them."""
    begin = 8 + int.from_bytes(content[:8], "little")
    return begin, content[8:begin]


def _checksum(state: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of contiguous, little-endian arrays and of texts."""
    names = sorted(state)
    kinds = [(name, state[name].dtype.name, state[name].shape) for name in names]
    digest = hashlib.sha256(json.dumps([sorted(metadata.items()), kinds]).encode())
    for name in names:
        digest.update(state[name].reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
