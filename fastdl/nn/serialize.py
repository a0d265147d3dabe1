"""Models and weights as safetensors files. Nothing is ever pickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.files import as_path, parse_json, read_tensors, reading, write_tensors
from fastdl.nn import init
from fastdl.nn.layout import warn_untransposed
from fastdl.nn.module import Module, check_module
from fastdl.nn.registry import from_config, to_config
from fastdl.nn.transfer import as_class_names
from fastdl.nn.tree import label
from fastdl.structure import is_shape, leaves, map_shapes
from fastdl.typing import StrPath

# Keys in the file's metadata; those of other programs do not begin with this prefix.
_OURS = "fastdl."
_ARCHITECTURE = f"{_OURS}model"
_WEIGHTS = f"{_OURS}weights"  # says only that the axes are in our order
CHECKPOINT = f"{_OURS}checkpoint"  # of a training, see `Trainer.fit`
_USE = f"{_OURS}use"  # what a model takes and gives: input_shape, class_names

# Numbers in an example, 256 MB of them, that a file can have us make.
_LARGEST_EXAMPLE = 2**26


def save(model: Module, path: StrPath) -> None:
    """Save a whole model: its weights, and its layers as JSON in the metadata.

    The shape that it was built for and, if there are, its ``class_names`` go along.

    Parameters
    ----------
    model : Module
        Made of registered layers; all sizes must be known.
    path : path
        The file, usually ``*.safetensors``. An existing one is replaced as a whole or
        not at all, and keeps its permissions; if it is a symbolic link, this is true of
        the file it points to.

    Raises
    ------
    FastdlError
        A layer is not registered (see `fastdl.nn.register`) or not built; or
        ``class_names`` has not as many names as there are outputs.
    OSError
        The file cannot be written: the disk is full, or `path` is a folder, a pipe, a
        device, ...; the error names `path`.
    """
    check_module(model, "save")
    path = as_path(path, "save")
    state, metadata = contents(model)
    write_tensors(state, path, metadata)


def contents(model: Module) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the texts that `save` writes; it raises what that does."""
    metadata = {_ARCHITECTURE: json.dumps(to_config(model))}
    shape, names = model.input_shape, model.class_names
    if shape is not None and names is not None:
        model.build(shape)  # compares the names with the outputs
    use = {"input_shape": shape, "class_names": names}
    if any(value is not None for value in use.values()):
        metadata[_USE] = json.dumps(use)
    return model.state_dict(), metadata


def load(path: StrPath) -> Module:
    """Load a whole model that `save` wrote.

    Returns
    -------
    Module
        In evaluation mode, ready to predict; call ``train()`` to train it further.

    Raises
    ------
    DataError
        The file is missing, damaged (its checksum is compared), of another program, or
        has only weights; it contains an unknown layer, or its weights do not fit its
        layers.
    OSError
        There is no permission to read the file.
    """
    path = as_path(path, "load")
    state, metadata = read_tensors(path)
    if CHECKPOINT in metadata:
        raise DataError(
            f"{path} is a checkpoint of a training: fit(..., checkpoint=path, "
            f"resume=True) goes on with it, and load_weights(model, path) takes the "
            f"weights of its model"
        )
    if not describes_model(metadata):
        raise DataError(
            f"{path} holds weights but no fastdl model; build the model and call "
            f"load_weights(model, path)"
        )
    return made_from(state, metadata, path)


def describes_model(metadata: Mapping[str, str]) -> bool:
    """Whether the texts of a file describe a whole model."""
    return _ARCHITECTURE in metadata


def made_from(
    state: Mapping[str, np.ndarray], metadata: Mapping[str, str], path: StrPath
) -> Module:
    """Make the model of a file from what was read of it, see `load`."""
    config = parse_json(metadata[_ARCHITECTURE], f"{path}: the description")
    shape, names = use_of(metadata, path)
    floating = [a.dtype for a in state.values() if a.dtype.kind == "f"]
    try:
        # The file may describe more weights than it contains or than fit into memory. A
        # layer may draw its weights twice, or make arrays that are not saved.
        with init.at_most(4 * sum(a.size for a in state.values()) + 2**20):
            model = from_config(config)
            if any(module._pending for module in model.modules()):
                _build(model, shape)
        if floating:
            model.astype(floating[0])
        model.load_state_dict(state)
    except FastdlError as error:
        raise DataError(f"{path}: {error}") from error
    model.input_shape, model.class_names = shape, names
    return model.eval()


def _build(model: Module, shape: Any) -> None:
    """Infer the sizes that a class of the user's leaves open when it is made."""
    if shape is None:
        name, layer = next(pair for pair in model.named_modules() if pair[1]._pending)
        raise DataError(
            f"the input size of {label(name, layer)} is open, and the file has no "
            f"input_shape to infer it from; make the model, build it, and call "
            f"load_weights(model, path); build before save, and load can do it"
        )
    if sum(leaves(map_shapes(math.prod, shape))) > _LARGEST_EXAMPLE:
        raise DataError(
            f"an example of shape {shape} is too large to build a model for; make the "
            f"model, build it, and call load_weights(model, path)"
        )
    with reading("the model"):  # whatever a class raises
        model.build(shape)


def use_of(metadata: Mapping[str, str], path: StrPath) -> tuple[Any, Any]:
    """Return the input_shape and the class_names in the texts of a file, or None."""
    if _USE not in metadata:
        return None, None
    use = parse_json(metadata[_USE], f"{path}: its use")
    if not isinstance(use, dict):
        raise DataError(f"{path}: its use must be a JSON object, got {use!r:.80}")
    names = use.get("class_names")
    try:
        names = None if names is None else as_class_names(names)
    except ArgumentError as error:
        raise DataError(f"{path}: {error}") from None
    shape = use.get("input_shape")
    return None if shape is None else _as_shape(shape, path), names


def _as_shape(value: Any, path: StrPath) -> Any:
    """Return a shape, or a tuple or dict of shapes, from JSON."""
    if isinstance(value, dict):
        return {name: _as_shape(part, path) for name, part in value.items()}
    if isinstance(value, list) and not is_shape(value):
        return tuple(_as_shape(part, path) for part in value)
    wrong = [value]
    if isinstance(value, list):
        wrong = [size for size in value if type(size) is not int or size < 1]
    if wrong:
        raise DataError(f"{path}: input_shape must hold sizes, got {wrong[0]!r:.80}")
    return tuple(value)


def save_weights(model: Module, path: StrPath) -> None:
    """Save only parameters and buffers; raises like `save`, but takes any module."""
    check_module(model, "save_weights")
    path = as_path(path, "save_weights")
    write_tensors(model.state_dict(), path, {_WEIGHTS: "1"})


def is_ours(metadata: Mapping[str, str]) -> bool:
    """Whether the texts of a file say that `save` or `save_weights` wrote it."""
    return any(key.startswith(_OURS) for key in metadata)


def load_weights(model: Module, path: StrPath, strict: bool = True) -> None:
    """Load parameters and buffers into a model with the same layers.

    Parameters
    ----------
    model : Module
        All its sizes must be known; values are copied into its arrays.
    path : path
        A file of `save_weights` or `save`, a checkpoint of ``Trainer.fit``, or any
        safetensors file with the same names.
        If it comes from another program and its shapes do not show whether weights are
        transposed, as PyTorch's are, a warning says so.
    strict : bool
        Whether missing and unexpected names are errors.

    Raises
    ------
    DataError
        The file is missing, damaged (its checksum is compared) or something else.
    OSError
        There is no permission to read the file.
    FastdlError
        Names or shapes do not fit the model, see `Module.load_state_dict`.
    """
    check_module(model, "load_weights")
    path = as_path(path, "load_weights")
    state, metadata = read_tensors(path)
    if CHECKPOINT in metadata:
        names = [name for name in state if name.startswith("model.")]
        state = {name.removeprefix("model."): state[name] for name in names}
    try:
        model.load_state_dict(state, strict)
    except FastdlError as error:
        error.args = (f"{path}: {error}",)
        raise
    if not is_ours(metadata):
        warn_untransposed(model, state, f"load_weights: {path}")
