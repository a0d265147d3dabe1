"""The outputs of the layers of a model for some inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, suggest
from fastdl.nn import Conv2d, Module
from fastdl.shapes import array
from fastdl.train import Trainer
from fastdl.typing import ArrayLike


def find_layer(model: Module, name: str, who: str) -> Module:
    """Return the layer of this name; ArgumentError, with a near match, if none."""
    layers = dict(model.named_modules())
    if name not in layers:
        known = suggest(name, [layer for layer in layers if layer])
        raise ArgumentError(f"{who}: the model has no layer {name!r}{known}")
    return layers[name]


def first_conv2d(model: Module, who: str) -> str:
    """Return the name of the first convolution; ArgumentError if there is none."""
    for name, each in model.named_modules():
        if isinstance(each, Conv2d):
            return name
    raise ArgumentError(f"{who}: the model has no Conv2d")


def layer_outputs(
    model: Module, x: ArrayLike, names: Sequence[str], who: str
) -> dict[str, np.ndarray]:
    """Run the model in evaluation mode; return the outputs of the named layers."""
    batches: dict[str, list[np.ndarray]] = {name: [] for name in names}
    layers = {name: find_layer(model, name, who) for name in names}

    def keep(name: str, layer: Module, inputs: tuple, output: object) -> None:
        if not isinstance(output, Tensor):
            raise ArgumentError(
                f"{who}: layer {name!r} has several outputs; name the one that makes "
                f"what you want to see"
            )
        batches[name].append(output.numpy())

    handles = [
        layer.register_forward_hook(partial(keep, name))
        for name, layer in layers.items()
    ]
    try:
        Trainer(model).predict(array(x, f"{who}: x"))
    finally:
        for handle in handles:
            handle.remove()
    return {name: np.concatenate(outputs) for name, outputs in batches.items()}
