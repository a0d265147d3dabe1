"""Models and weights as safetensors files. Nothing is ever pickled.

A file is written beside its place, flushed to the disk, and renamed: a crash at any
moment leaves the old file or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fastdl.errors import DataError
from fastdl.nn.layout import warn_untransposed
from fastdl.nn.module import Module
from fastdl.nn.registry import from_config, to_config

# Keys in the file's metadata. Those of other programs do not begin like these.
_OURS = "fastdl."
_ARCHITECTURE = f"{_OURS}model"
_WEIGHTS = f"{_OURS}weights"  # says no more than whose axes they have


def save(model: Module, path: str | os.PathLike) -> None:
    """Save a whole model: its weights, and its layers as JSON in the metadata.

    Parameters
    ----------
    model : Module
        Made of registered layers, all sizes known.
    path : path
        The file, usually ``*.safetensors``; an existing one is replaced.

    Raises
    ------
    FastdlError
        A layer is not registered (see `fastdl.nn.register`) or not built.
    OSError
        The file cannot be written.
    """
    architecture = json.dumps(to_config(model))
    write_tensors(model.state_dict(), path, {_ARCHITECTURE: architecture})


def load(path: str | os.PathLike) -> Module:
    """Load a whole model that `save` wrote.

    Returns
    -------
    Module
        In evaluation mode, ready to predict; call ``train()`` to train it further.

    Raises
    ------
    DataError
        The file is missing, damaged, foreign, or holds weights alone.
    FastdlError
        It contains an unknown layer, or its weights do not fit its layers.
    """
    state, metadata = read_tensors(path)
    if _ARCHITECTURE not in metadata:
        raise DataError(
            f"{path} holds weights but no fastdl model; build the model and call "
            f"load_weights(model, path)"
        )
    try:
        config = json.loads(metadata[_ARCHITECTURE])
    except ValueError as error:
        raise DataError(f"{path}: the description is damaged ({error})") from error
    model = from_config(config)
    floating = [a.dtype for a in state.values() if a.dtype.kind == "f"]
    if floating:
        model.astype(floating[0])
    model.load_state_dict(state)
    return model.eval()


def save_weights(model: Module, path: str | os.PathLike) -> None:
    """Save parameters and buffers alone; raises as `save`, but takes any module."""
    write_tensors(model.state_dict(), path, {_WEIGHTS: "1"})


def load_weights(model: Module, path: str | os.PathLike, strict: bool = True) -> None:
    """Load parameters and buffers into a model of the same layers.

    Parameters
    ----------
    model : Module
        With all sizes known; values are copied into its arrays.
    path : path
        A file of `save_weights` or `save`, or any safetensors file with such names. One
        of another program is loaded with a warning when its shapes do not tell whether
        its weights are transposed, as PyTorch's are.
    strict : bool
        Whether missing and unexpected names are errors.

    Raises
    ------
    DataError
        The file is missing, damaged or foreign.
    FastdlError
        Names or shapes do not fit the model, see `Module.load_state_dict`.
    """
    state, metadata = read_tensors(path)
    model.load_state_dict(state, strict)
    if not any(key.startswith(_OURS) for key in metadata):
        warn_untransposed(model, state, f"load_weights: {path}")


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move the file there at the end.

    After an error the temporary file is removed and `path` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the new name too must reach the disk
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def write_tensors(
    state: dict[str, np.ndarray], path: str | os.PathLike, metadata: dict[str, str]
) -> None:
    """Write arrays by name, and texts by name, as one safetensors file."""
    from safetensors.numpy import save_file

    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata)


def read_tensors(
    path: str | os.PathLike,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the texts of a safetensors file.

    Raises
    ------
    DataError
        There is no such file, or it is no safetensors file, or cut off.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise DataError(f"no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            state = {name: file.get_tensor(name) for name in names}
            return state, file.metadata() or {}
    except SafetensorError as error:
        raise DataError(
            f"{path} is no safetensors file, or it is cut off ({error})"
        ) from error
    except TypeError as error:  # NumPy has no bfloat16
        raise DataError(f"{path}: {error}; convert its arrays to float32") from error
