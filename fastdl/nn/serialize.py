"""Models and weights as safetensors files. Nothing is ever pickled."""

from __future__ import annotations

import json

from fastdl.errors import DataError, FastdlError
from fastdl.files import parse_json, read_tensors, write_tensors
from fastdl.nn import init
from fastdl.nn.layout import warn_untransposed
from fastdl.nn.module import Module
from fastdl.nn.registry import from_config, to_config
from fastdl.typing import StrPath

# Keys in the file's metadata. Those of other programs do not begin like these.
_OURS = "fastdl."
_ARCHITECTURE = f"{_OURS}model"
_WEIGHTS = f"{_OURS}weights"  # says no more than whose axes they have


def save(model: Module, path: StrPath) -> None:
    """Save a whole model: its weights, and its layers as JSON in the metadata.

    Parameters
    ----------
    model : Module
        Made of registered layers, all sizes known.
    path : path
        The file, usually ``*.safetensors``. An existing one is replaced as a whole or
        not at all, and keeps its permissions; through a symbolic link the file that
        it points to.

    Raises
    ------
    FastdlError
        A layer is not registered (see `fastdl.nn.register`) or not built.
    OSError
        The file cannot be written: the disk is full, or `path` is a folder, a pipe, a
        device, ...; the error names `path`.
    """
    architecture = json.dumps(to_config(model))
    write_tensors(model.state_dict(), path, {_ARCHITECTURE: architecture})


def load(path: StrPath) -> Module:
    """Load a whole model that `save` wrote.

    Returns
    -------
    Module
        In evaluation mode, ready to predict; call ``train()`` to train it further.

    Raises
    ------
    DataError
        The file is missing, damaged (its checksum is compared), foreign, or holds
        weights alone; it contains an unknown layer, or its weights do not fit its
        layers.
    OSError
        The file may not be read.
    """
    state, metadata = read_tensors(path)
    if _ARCHITECTURE not in metadata:
        raise DataError(
            f"{path} holds weights but no fastdl model; build the model and call "
            f"load_weights(model, path)"
        )
    config = parse_json(metadata[_ARCHITECTURE], f"{path}: the description")
    floating = [a.dtype for a in state.values() if a.dtype.kind == "f"]
    try:
        # The file may describe more weights than it holds, and than there is memory.
        # A layer may draw its weights twice, or make arrays that are not saved.
        with init.at_most(4 * sum(a.size for a in state.values()) + 2**20):
            model = from_config(config)
        if floating:
            model.astype(floating[0])
        model.load_state_dict(state)
    except FastdlError as error:
        raise DataError(f"{path}: {error}") from error
    return model.eval()


def save_weights(model: Module, path: StrPath) -> None:
    """Save parameters and buffers alone; raises as `save`, but takes any module."""
    write_tensors(model.state_dict(), path, {_WEIGHTS: "1"})


def load_weights(model: Module, path: StrPath, strict: bool = True) -> None:
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
        The file is missing, damaged (its checksum is compared) or foreign.
    OSError
        The file may not be read.
    FastdlError
        Names or shapes do not fit the model, see `Module.load_state_dict`.
    """
    state, metadata = read_tensors(path)
    try:
        model.load_state_dict(state, strict)
    except FastdlError as error:
        error.args = (f"{path}: {error}",)
        raise
    if not any(key.startswith(_OURS) for key in metadata):
        warn_untransposed(model, state, f"load_weights: {path}")
