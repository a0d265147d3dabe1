"""The trained weights that a training starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from fastdl import nn
from fastdl.errors import DataError, FastdlError
from fastdl.files import as_path, read_file, read_tensors
from fastdl.interop import load_torch_state
from fastdl.nn.serialize import describes_model, is_ours, made_from, use_of
from fastdl.nn.transfer import find_head
from fastdl.train.recipes import Recipe
from fastdl.train.run import RunFolder
from fastdl.typing import Shape, StrPath

_ALL = "all"  # but the head
# Mean and deviation of the pictures of ImageNet in [0, 1], by which torchvision's
# networks, and most of timm's, normalise them.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pretrained:
    """A trained network, or weights of one, in a file.

    Parameters
    ----------
    path : path
        The folder of a finished run, a file of `fastdl.save` or `fastdl.save_weights`,
        or a safetensors file with the names of torchvision or timm.

    Attributes
    ----------
    file : Path
        The file with the weights.
    config : dict
        The settings of the run; empty for a file.

    Raises
    ------
    DataError
        There is no such folder or file, it is damaged, or its weights are broken: NaN,
        infinite, or a variance below 0.
    """

    def __init__(self, path: StrPath) -> None:
        self.config: dict[str, Any] = {}
        self.file = as_path(path)
        if self.file.is_dir():
            folder = RunFolder(path)
            self.config = folder.read_config()
            self.file = folder.final_model()
        self._state, self._metadata = read_tensors(self.file)
        for name, values in self._state.items():
            broken = "NaN or infinite" if not np.isfinite(values).all() else None
            if name.endswith("running_var") and (values < 0).any():
                broken = "negative, which no variance is"
            if broken:
                raise DataError(
                    f"{self.file} has broken weights: values of {name!r} are {broken}"
                )

    @cached_property
    def sha256(self) -> str:
        """The checksum of the file, as ``sha256sum`` prints it."""
        return hashlib.sha256(read_file(self.file)).hexdigest()

    @property
    def describes_model(self) -> bool:
        """Whether the file holds a whole network, and not only weights."""
        return describes_model(self._metadata)

    @property
    def input_shape(self) -> Shape | None:
        """The shape of an example, if it is known."""
        shape = use_of(self._metadata, self.file)[0] or self.config.get("input_shape")
        return None if shape is None else tuple(shape)

    def model(self, recipe: Recipe, input_shape: Sequence[int]) -> nn.Module:
        """Make the network, with the weights.

        Parameters
        ----------
        recipe : Recipe
            Makes the network that weights alone are of.
        input_shape : sequence of int
            The shape of an example, for that network.

        Raises
        ------
        DataError
            The weights are of another network, or of one for other examples.
        """
        if self.describes_model:
            model = made_from(self._state, self._metadata, self.file)
            if model.class_names is None:
                model.class_names = self.config.get("classes")
            return model
        head, _ = find_head(recipe.create_model(1))
        weight = self._state.get(f"{head}.weight")
        ours = is_ours(self._metadata)
        classes = weight.shape[-1] if ours and weight is not None else 1
        model = recipe.create_model(classes)
        model.build(input_shape)
        try:
            if ours:
                model.load_state_dict(self._state)
            else:  # its classes have no names, so the head is of no use
                load_torch_state(model, self._state, skip=head)
        except FastdlError as error:
            raise DataError(
                f"{self.file} does not fit {recipe.model!r} for examples of shape "
                f"{tuple(input_shape)}; --model and --size say what its weights are of "
                f"({error})"
            ) from error
        return model if ours else _normalising(model)


def _normalising(model: nn.Module) -> nn.Module:
    """Return a network of torchvision with the normalisation that it learned with."""
    layer = nn.Standardize(len(_MEAN))
    layer.mean[...], layer.std[...] = _MEAN, _STD
    names = [name for name, _ in model.named_children()]
    if not isinstance(model, nn.Sequential) or "0" in names:
        return nn.Sequential({"normalize": layer, "model": model})
    model.insert(0, layer, "normalize")
    return model


def fit_to(
    model: nn.Module,
    classes: Sequence[str],
    input_shape: Sequence[int],
    freeze: str | None,
) -> None:
    """Fit a trained network to other data.

    Parameters
    ----------
    model : Module
        It gets a new head unless it tells the same classes apart.
    classes : sequence of str
        Their names.
    input_shape : sequence of int
        The shape of an example.
    freeze : str, optional
        The first layer that learns, or "all": only the head does.

    Raises
    ------
    ArgumentError
        It has no head, or no layer of that name.
    DataError
        It does not take such examples.
    """
    learned_from, known = model.input_shape, model.class_names
    _, head = find_head(model)
    if known is None:
        same = getattr(head, head._outputs) == len(classes)
    else:
        same = tuple(known) == tuple(classes)
    if not same:
        model.replace_head(len(classes))
    model.class_names = tuple(classes)
    try:
        model.build(input_shape)
    except FastdlError as error:
        learned = f"learned from examples of shape {learned_from}, and"
        raise DataError(
            f"the trained network {learned if learned_from else ''} does not take "
            f"{tuple(input_shape)}: {error}"
        ) from error
    model.train()
    if freeze is not None:
        model.freeze(until=find_head(model)[0] if freeze == _ALL else freeze)
