"""Sequential: layers one after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, SupportsIndex, TypeVar

from fastdl import exports
from fastdl.errors import near, suggest
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

S = TypeVar("S", bound="Sequential")

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

    The layers have names of their own when they are given as a dict::

        model = nn.Sequential(
            {"conv1": nn.Conv2d(3, 8, 3), "relu": nn.ReLU(), "fc": nn.Linear(8, 10)}
        )
        model.conv1.weight  # model["conv1"] and model[0] are the same layer
        model.fc = nn.Linear(8, 4)  # replaces the layer 'fc', as model["fc"] = ... does
        model.append(nn.Softmax(), "softmax")  # a new layer needs a name
        model[:-1]  # keeps the names
        model[1:3] = {"act": nn.SiLU(), "pool": nn.MaxPool2d(2)}

    Parameters
    ----------
    *layers : Module, or one mapping of str to Module
        The layers in order. Names are strings without dots; those of attributes and
        methods of a Sequential are taken.

    Raises
    ------
    ArgumentError
        Something is no Module; a name is taken, given twice, missing or unknown.
    """

    _names: list[str] | None = None  # None: their positions

    def __init__(self, *layers: Module | Mapping[str, Module]) -> None:
        first = layers[0] if len(layers) == 1 else None
        if isinstance(first, Mapping) and not isinstance(first, Module):
            self._names = []
            super().__init__(first)  # type: ignore[arg-type]
        else:
            super().__init__(layers)  # type: ignore[arg-type]

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
        named = self._names is not None
        return {"layers": [self._named_items()] if named else self._items}

    def _part(self, items: list[Module]) -> Sequential:
        return Sequential(*items)  # a subclass may be constructed otherwise

    # Names

    def _named_items(self) -> list[Module] | dict[str, Module]:
        if self._names is None:
            return self._items
        return dict(zip(self._names, self._items, strict=True))

    def __getattr__(self, name: str) -> Any:
        names = self._names or ()
        if name in names:
            return self[name]
        hint = near(name, [*names, *exports.attributes(type(self))], "Module")
        hint = hint or suggest(name, names)
        raise AttributeError(
            f"{type(self).__name__} has no attribute or layer {name!r}{hint}"
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name in (self._names or ()):
            self[name] = value  # type: ignore[assignment]
        elif self._names and type(self) is Sequential and isinstance(value, Module):
            self._refuse(  # it would be saved, but never run
                f"there is no layer {name!r}{suggest(name, self._names)}; a new one is "
                f"added by append(layer, {name!r})"
            )
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in (self._names or ()):
            del self[name]
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(self._names or ())]

    def __getitem__(self, key: SupportsIndex | slice | str) -> Any:
        if isinstance(key, slice) and self._names is not None:
            pairs = zip(self._names[key], self._items[key], strict=True)
            return Sequential(dict(pairs))
        return super().__getitem__(self._place(key))

    def __setitem__(
        self,
        key: SupportsIndex | slice | str,
        item: Module | Iterable[Module] | Mapping[str, Module],
    ) -> None:
        if not isinstance(key, slice) or self._names is None:
            super().__setitem__(self._place(key), item)  # type: ignore[assignment]
            return
        if not isinstance(item, Mapping) or isinstance(item, Module):
            self._refuse("its layers have names; give a dict of names to layers")
        names = list(self._names)
        names[key] = item
        for name in item:
            self._check_name(name, names)
        super().__setitem__(key, item.values())
        self._names = names

    def __delitem__(self, key: SupportsIndex | slice | str) -> None:
        place = self._place(key)
        super().__delitem__(place)
        if self._names is not None:
            del self._names[place]

    def insert(self, index: int, layer: Module, name: str | None = None) -> None:
        """Insert a layer before position `index`; a named chain asks for its name."""
        if self._names is None and name is None:
            super().insert(index, layer)
        elif self._names is None or name is None:
            self._refuse(
                "its layers have names; write append(layer, name)"
                if name is None
                else f"its layers are numbered; {name!r} would be lost, leave it out"
            )
        else:
            self[index:index] = {name: layer}

    def append(  # type: ignore[override]
        self: S, layer: Module, name: str | None = None
    ) -> S:
        """Add a layer at the end, as `insert` does; return self."""
        self.insert(len(self), layer, name)
        return self

    def _place(self, key: SupportsIndex | slice | str) -> Any:
        """Return the position of a name; anything else is one."""
        if not isinstance(key, str):
            return key
        names = self._names or [str(place) for place in range(len(self))]
        if key not in names:
            self._refuse(f"there is no layer {key!r}{suggest(key, names)}")
        return names.index(key)

    def _check_name(self, name: object, names: list[str]) -> None:
        """Raise unless a layer can have this name, among all of the chain's."""
        kind = type(self).__name__
        if not isinstance(name, str):
            self._refuse(f"the name of a layer must be a string, got {name!r:.60}")
        self._check_key(kind, name)
        if names.count(name) > 1:
            self._refuse(f"there are two layers {name!r}; choose another name")
        if hasattr(type(self), name) or name in vars(self):
            self._refuse(
                f"the layer {name!r} would hide the attribute .{name} of every {kind}; "
                f"choose another name"
            )


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
