"""Files: written whole or not at all, read with suspicion."""

from fastdl.files.damage import (
    SMALL,
    Readable,
    inflated_limit,
    parse_json,
    read_file,
    read_into,
    read_json,
    reading,
)
from fastdl.files.lock import locked
from fastdl.files.replace import (
    check_writable,
    keep_aside,
    new_file,
    replaced,
    write_text,
)
from fastdl.files.tensors import read_tensors, write_tensors

__all__ = [
    "SMALL",
    "Readable",
    "check_writable",
    "inflated_limit",
    "keep_aside",
    "locked",
    "new_file",
    "parse_json",
    "read_file",
    "read_into",
    "read_json",
    "read_tensors",
    "reading",
    "replaced",
    "write_tensors",
    "write_text",
]
