"""Sequential: layers one after another."""

from __future__ import annotations

from functools import lru_cache
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
_OPERATIONS: dict[type[Module] | None, str] = {
    Linear: "linear",
    Conv2d: "conv2d",
    BatchNorm1d: "batch_norm",
    BatchNorm2d: "batch_norm",
}
_KINDS: dict[type[Module] | None, str] = {layer: kind for kind, layer in LAYERS.items()}
# ReLU can wait for the maximum: fewer elements, the same result.
_COMMUTE = (ReLU, MaxPool2d)


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
        classes = [type(m) if _may_move(m) else None for m in self._items]
        for place, kind in _arranged(tuple(classes)):
            layer = self._items[place]
            x = layer(x) if kind is None else layer(x, activation=kind)
        return x

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this chain again."""
        return {"layers": self._items}

    def _part(self, items: list[Module]) -> Sequential:
        return Sequential(*items)  # a subclass may be constructed otherwise


def _may_move(layer: Module) -> bool:
    """Whether a layer may be computed elsewhere, or by another: its class says all.

    A hook must see its layer's own input and output.
    """
    if layer._forward_hooks:
        return False
    kind = _KINDS.get(type(layer))
    parameter = None if kind is None else ACTIVATIONS[kind].parameter
    return parameter is None or (
        isinstance(layer, Activation) and layer.parameter == parameter.usual
    )


@lru_cache(maxsize=256)
def _arranged(
    classes: tuple[type[Module] | None, ...],
) -> list[tuple[int, str | None]]:
    """Return the places of layers as they are computed, and what each applies.

    None stands for a layer that must stay where it is, and alone.
    """
    steps: list[tuple[int, str | None]] = []
    place = 0
    while place < len(classes):
        first, second, third = (*classes[place : place + 3], None, None)[:3]
        if (first, second) == _COMMUTE:
            steps += (place + 1, None), (place, None)
            place += 2
        elif (second, third) != _COMMUTE and (kind := _fused_kind(first, second)):
            steps.append((place, kind))
            place += 2
        else:
            steps.append((place, None))
            place += 1
    return steps


def _fused_kind(
    layer: type[Module] | None, following: type[Module] | None
) -> str | None:
    """Return the activation that one layer can apply for the next, or None."""
    kind = _KINDS.get(following)
    fuses = kind is not None and _OPERATIONS.get(layer) in ACTIVATIONS[kind].fusable
    return kind if fuses else None
