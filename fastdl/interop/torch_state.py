"""Weights in PyTorch's names and layout, read and written without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fastdl.errors import (
    ArgumentError,
    DataError,
    FastdlError,
    GraphError,
    listed,
    near,
    suggest,
)
from fastdl.files import as_path, read_tensors, reading, write_tensors
from fastdl.interop.layout import Layout, layouts
from fastdl.interop.timm import from_timm
from fastdl.models import CATALOGUE
from fastdl.nn import Module
from fastdl.nn.module import check_module
from fastdl.nn.serialize import is_ours
from fastdl.typing import ArrayLike, StrPath

# A counter that early releases of PyTorch had not.
_OPTIONAL = "num_batches_tracked"


def load_torch_state(
    model: Module,
    source: StrPath | Mapping[str, ArrayLike],
    strict: bool = True,
    skip: str | Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """Load weights that have PyTorch's names and layout into a model.

    ::

        model = models.create("resnet18", classes=1000)
        model.build((224, 224, 3))
        interop.load_torch_state(model, "resnet18.safetensors")

    The models of `fastdl.models` have torchvision's names; timm's are recognised where
    they differ. Any other model needs the same names as its twin in PyTorch, and is
    converted layer by layer: filters from (oc, c, kh, kw) to (kh, kw, c, oc), dense
    weights from (out, in) to (in, out), and features of flattened pictures, and those
    that are reshaped to pictures, from the order (c, h, w) to (h, w, c). Parameters
    that a class of your own holds itself, not through a layer, stay as they are.

    Parameters
    ----------
    model : Module
        Built (see `fastdl.nn.Module.build`): the shape of an example decides on what a
        Flatten flattens. Values are copied into its arrays.
    source : path or mapping of str to array
        A safetensors file, or what ``state_dict()`` of PyTorch returns, as tensors or
        as arrays. Numbers of 16 bits (float16, bfloat16) become float32.
    strict : bool
        Whether missing and unexpected names are errors. The counters
        ``num_batches_tracked``, which early releases of PyTorch had not, may be missing
        in any case.
    skip : str or sequence of str
        Names of layers that keep the weights they have, such as ``"fc"``, the head of a
        ResNet, where the number of classes is another one.

    Returns
    -------
    tuple of list of str
        (missing names, unexpected names), without those skipped; both are empty if
        strict.

    Raises
    ------
    DataError
        The file is missing, damaged, a pickle (the message has a line that converts
        it), or was written by `fastdl.save_weights` or `fastdl.save`.
    FastdlError
        Names are missing or unexpected, or an entry does not have the shape or kind of
        its parameter, strict or not. All are listed, and nothing is changed.
    GraphError
        The model was not built; or PyTorch's order of a layer's features cannot be
        told, as of those that were cut out of a flattened picture.
    """
    who = "load_torch_state"
    check_module(model, who)
    state, where = _read(source)
    own = layouts(model)
    state = from_timm(state, own)
    skipped = _skipped((skip,) if isinstance(skip, str) else skip, {**own, **state})
    own = {name: layout for name, layout in own.items() if name not in skipped}
    state = {name: values for name, values in state.items() if name not in skipped}

    missing = [name for name in own if name not in state]
    missing = [name for name in missing if not name.endswith(_OPTIONAL)]
    unexpected = [name for name in state if name not in own]
    fitting = [name for name in own if name in state]
    wrong = [name for name in fitting if not _fits(state[name], own[name])]
    if wrong or (strict and (missing or unexpected)) or not fitting:
        raise FastdlError(
            f"{who}: {where} does not fit this model"
            + listed("missing", missing, lambda name: f" {own[name].torch_shape}")
            + listed("unexpected", unexpected, lambda name: near(name, missing))
            + listed("wrong", wrong, lambda n: _difference(state[n], own[n]))
            + _advice(wrong, state, own)
        )
    _check_known(who, own, fitting)
    for name in fitting:
        own[name].array[...] = own[name].from_torch(state[name])
    for parameter in model.parameters():
        parameter.mark_changed()
    return missing, unexpected


def torch_state(model: Module) -> dict[str, np.ndarray]:
    """Return all weights in PyTorch's names and layout, as new arrays.

    For a model of PyTorch in the same process::

        state = interop.torch_state(model)
        twin.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})

    The state of dropout's random numbers, which PyTorch does not keep, is left out.

    Raises
    ------
    GraphError
        The model was not built; or PyTorch's order of a layer's features cannot be
        told, as of those that were cut out of a flattened picture.
    """
    check_module(model, "torch_state")
    own = layouts(model)
    _check_known("torch_state", own, own)
    return {
        name: np.array(layout.to_torch(), order="C") for name, layout in own.items()
    }


def save_torch_state(model: Module, path: StrPath) -> None:
    """Write all weights in PyTorch's names and layout, as a safetensors file.

    PyTorch reads it by ``load_state_dict(safetensors.torch.load_file(path))``, and
    torchvision's model of the same name takes it, strictly; so does `load_torch_state`.

    Parameters
    ----------
    model : Module
        Built (see `fastdl.nn.Module.build`).
    path : path
        Replaced as a whole or not at all.

    Raises
    ------
    GraphError
        As `torch_state`.
    OSError
        The file cannot be written.
    """
    check_module(model, "save_torch_state")
    path = as_path(path, "save_torch_state")
    write_tensors(torch_state(model), path, {"format": "pt"})


def _read(
    source: StrPath | Mapping[str, ArrayLike],
) -> tuple[dict[str, np.ndarray], str]:
    """Return arrays by name, and what a message calls them."""
    if isinstance(source, Mapping):
        return {name: _array(name, value) for name, value in source.items()}, "the dict"
    if not isinstance(source, (str, os.PathLike)):
        raise ArgumentError(
            f"load_torch_state: expected a path or a dict of arrays, got "
            f"{type(source).__name__}; of a model of PyTorch, give its state_dict()"
        )
    state, metadata = read_tensors(source)
    if is_ours(metadata):
        raise DataError(
            f"{source} has fastdl's own layout, not PyTorch's; load it by load_weights"
        )
    return state, str(source)


def _array(name: str, value: ArrayLike) -> np.ndarray:
    """Return one entry of a state dict as an array."""
    if isinstance(value, Mapping):
        raise ArgumentError(
            f"load_torch_state: {name!r} is a dict, not an array; if it holds the "
            f"weights, give checkpoint[{name!r}]"
        )
    with reading(f"load_torch_state: {name!r}", "as an array"):  # sparse, meta, ...
        if type(value).__module__.partition(".")[0] == "torch":
            tensor = value.detach().cpu()  # type: ignore[union-attr]
            value = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
        return np.asarray(value)


def _skipped(skip: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return the names inside the layers to skip."""
    skipped = set()
    layers = {name.rpartition(".")[0] for name in names}
    for layer in skip:
        inside = {n for n in names if n == layer or n.startswith(f"{layer}.")}
        if not inside:
            raise ArgumentError(
                f"load_torch_state: skip: no layer {layer!r}{suggest(layer, layers)}"
            )
        skipped |= inside
    return skipped


def _check_known(who: str, own: Mapping[str, Layout], names: Iterable[str]) -> None:
    unknown = [name for name in names if not own[name].is_known]
    if unknown:
        layer = unknown[0].rpartition(".")[0]
        raise GraphError(
            f"{who}: the order of the features of {layer!r} in PyTorch, which flattens "
            f"pictures channel by channel, cannot be told: they are rearranged before "
            f"it, or are those of several pictures. Leave the layer out by "
            f"skip={layer!r}, and fill it yourself"
        )


def _fits(values: np.ndarray, layout: Layout) -> bool:
    return (
        values.shape == layout.torch_shape
        and values.dtype.kind == layout.array.dtype.kind
    )


def _difference(values: np.ndarray, layout: Layout) -> str:
    """Say what is wrong, in PyTorch's order of the axes."""
    expected, got = layout.torch_shape, values.shape
    if expected == got:
        return f": expected {layout.array.dtype}, got {values.dtype}"
    return f": expected shape {expected}, got {got}"


def _advice(
    wrong: Sequence[str],
    state: Mapping[str, np.ndarray],
    own: Mapping[str, Layout],
) -> str:
    """Say what to do where only one layer does not fit, or whose weights these are."""
    layers = {name.rpartition(".")[0] for name in wrong}
    if len(layers) == 1:
        return f"\n  skip={min(layers)!r} leaves this layer as it is"
    count = _parameters({name: values.size for name, values in state.items()})
    if count == _parameters({name: layout.array.size for name, layout in own.items()}):
        return ""
    for name, row in CATALOGUE.items():
        if row.parameters == count:
            return f"\n  these look like the weights of {name}"
    return ""


def _parameters(sizes: Mapping[str, int]) -> int:
    """Return how many numbers are trained; the others are statistics of batch norms."""
    return sum(
        size
        for name, size in sizes.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    )
