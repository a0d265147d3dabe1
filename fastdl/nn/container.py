"""Sequential: layers one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastdl.nn.activation import LAYERS, Activation, ReLU
from fastdl.nn.batchnorm import BatchNorm1d, BatchNorm2d
from fastdl.nn.collection import List
from fastdl.nn.conv2d import Conv2d
from fastdl.nn.linear import Linear
from fastdl.nn.module import Module
from fastdl.nn.pool2d import MaxPool2d
from fastdl.nn.registry import register
from fastdl.shapes import ACTIVATIONS
from fastdl.typing import TensorLike

# The layers that apply an activation, with the operation that does it. Exact classes:
# a subclass may compute something else.
_OPERATIONS: dict[type[Module], str] = {
    Linear: "linear",
    Conv2d: "conv2d",
    BatchNorm1d: "batch_norm",
    BatchNorm2d: "batch_norm",
}


@register
class Sequential(List[Module]):
    """A chain of layers, named '0', '1', ... in errors and in the state dict.

    If the layer before an activation can apply it
    (``fastdl.shapes.ACTIVATIONS[kind].fusable``), one kernel call computes both; a ReLU
    before max pooling is computed after it. The result is the same.
    ``model[2]`` is a layer, ``model[:-1]`` a Sequential that shares the layers, and
    ``model[-1] = head`` replaces one.

    Parameters
    ----------
    *layers : Module
        The layers in order.
    """

    def __init__(self, *layers: Module) -> None:
        super().__init__(layers)

    @property
    def layers(self) -> list[Module]:
        """The layers in order."""
        return self._items

    def forward(self, x: TensorLike) -> TensorLike:
        """Run x through all layers."""
        for layer, kind in _steps(self._items):
            x = layer(x) if kind is None else layer(x, activation=kind)
        return x

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this chain again."""
        return {"layers": self._items}

    def _part(self, items: list[Module]) -> Sequential:
        return Sequential(*items)  # a subclass may be constructed otherwise


def _steps(layers: list[Module]) -> Iterator[tuple[Module, str | None]]:
    """Yield the layers as they are computed, with the activation each applies.

    A hook on a layer must see its own input and output, so it prevents changes.
    """
    i = 0
    while i < len(layers):
        layer = layers[i]
        following = layers[i + 1] if i + 1 < len(layers) else None
        third = layers[i + 2] if i + 2 < len(layers) else None
        if following is not None and _commute(layer, following):
            yield following, None
            yield layer, None
            i += 2
        elif not _commute(following, third) and (kind := _fused_kind(layer, following)):
            yield layer, kind
            i += 2
        else:
            yield layer, None
            i += 1


def _commute(layer: Module | None, following: Module | None) -> bool:
    """Whether ReLU can wait for the maximum: fewer elements, the same result."""
    return (
        type(layer) is ReLU
        and type(following) is MaxPool2d
        and not (layer._forward_hooks or following._forward_hooks)
    )


def _fused_kind(layer: Module, following: Module | None) -> str | None:
    """Return the activation that `layer` can apply for `following`, or None."""
    if following is None or following._forward_hooks or layer._forward_hooks:
        return None
    if not isinstance(following, Activation):
        return None
    kind, parameter = following.kind, following.parameter
    if LAYERS.get(kind) is not type(following):
        return None
    row = ACTIVATIONS[kind]
    usual = None if row.parameter is None else row.parameter.usual
    fuses = _OPERATIONS.get(type(layer)) in row.fusable and parameter == usual
    return kind if fuses else None
