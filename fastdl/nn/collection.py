"""Lists and dicts, of layers or of parameters, that are modules themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, ClassVar, SupportsIndex, TypeVar

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.activation import LAYERS
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.nn.registry import register

L = TypeVar("L", bound="List")
T = TypeVar("T")  # what may be put in
Key = str | int
ParameterLike = Parameter | Tensor | np.ndarray


class Collection(Module):
    """What the lists and dicts of modules and of parameters have in common."""

    _items: Any
    _kind: ClassVar[type] = Module

    def _attributes(self) -> Iterator[tuple[str, object]]:
        """Return those of `Tree`, the items by their own names alone."""
        for name, value in super()._attributes():
            yield ("", self._named_items()) if name == "_items" else (name, value)

    def _named_items(self) -> object:
        """Return the items in a container whose keys or positions are their names."""
        return self._items

    def _checked(self, item: object, place: object) -> Any:
        """Return an item, or an array as a parameter; raise if it is anything else."""
        if isinstance(item, self._kind):
            return item
        if self._kind is Parameter and isinstance(item, (np.ndarray, Tensor)):
            return Parameter(item)
        what = "layer" if self._kind is Module else "parameter"
        hint = "; write it with ()" if isinstance(item, type) else ""
        kind = item if isinstance(item, str) else getattr(item, "__name__", None)
        if isinstance(item, (list, tuple)):
            hint = f"; write {type(self).__name__}(*layers)"
        elif what == "layer" and kind in LAYERS:
            hint = f"; write nn.{LAYERS[kind].__name__}()"
        raise ArgumentError(
            f"{type(self).__name__}: {what} {place} must be a {self._kind.__name__}, "
            f"got {item!r:.60}{hint}"
        )

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this collection again."""
        return {"items": self._items}

    def _shown_arguments(self) -> list[str]:
        return [f"{name}: {p.shape}" for name, p in self._own_parameters()]


class List(Collection, MutableSequence[T]):
    """What `Sequential`, `ModuleList` and `ParameterList` have in common."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items: list[Any] = []
        self.extend(items)

    def append(self: L, item: T) -> L:  # type: ignore[override]
        """Add one at the end; return self."""
        self.insert(len(self), item)
        return self

    def extend(self: L, items: Iterable[T]) -> L:  # type: ignore[override]
        """Add several at the end; return self."""
        self[len(self) :] = items
        return self

    def insert(self, index: int, item: T) -> None:
        """Insert one before position `index`."""
        self._items.insert(index, self._checked(item, index))

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return any(item is own for own in self._items)  # == on tensors returns an array

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return self._part(self._items[index])
        return self._items[index]

    def _part(self, items: list[Any]) -> Any:
        return type(self)(items)

    def __setitem__(self, index: SupportsIndex | slice, item: T | Iterable[T]) -> None:
        if isinstance(index, slice):
            first, _, step = index.indices(len(self))
            if not isinstance(item, Iterable):
                raise ArgumentError(
                    f"{type(self).__name__}: expected a list, got {item!r:.60}"
                )
            self._items[index] = [
                self._checked(one, first + step * i) for i, one in enumerate(item)
            ]
        else:
            self._items[index] = self._checked(item, index)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        del self._items[index]


class Dict(Collection, MutableMapping[Key, T]):
    """What `ModuleDict` and `ParameterDict` have in common."""

    __eq__ = object.__eq__  # modules are compared, and found in sets, by identity
    __hash__ = object.__hash__

    def __init__(self, items: Mapping[Key, T] | Iterable[tuple[Key, T]] = ()) -> None:
        self._items: dict[Key, Any] = {}
        try:
            pairs = dict(items)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"{type(self).__name__}: expected a dict or pairs, got {items!r:.60}"
            ) from None
        self.update(pairs)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __getitem__(self, key: Key) -> Any:
        return self._items[key]

    def __setitem__(self, key: Key, item: T) -> None:
        self._check_key(type(self).__name__, key)
        self._items[key] = self._checked(item, repr(key))

    def __delitem__(self, key: Key) -> None:
        del self._items[key]


@register
class ModuleList(List[Module]):
    """A list of modules, to be used by a ``forward`` of your own.

    A plain list as an attribute works too; this one checks its items. ::

        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])

    Parameters
    ----------
    items : iterable of Module
        The modules, named '0', '1', ... They can be changed as in a list.

    Raises
    ------
    ArgumentError
        An item is not a Module.
    """


@register
class ModuleDict(Dict[Module]):
    """A dict of modules, to be used by a ``forward`` of your own.

    ``self.heads = nn.ModuleDict({"left": a, "right": b})`` leads to the names
    "heads.left.weight" and so on. A plain dict works too; this one checks its items.

    Parameters
    ----------
    items : mapping or iterable of pairs
        Modules by name: strings without dots, or integers. They can be changed as in a
        dict.

    Raises
    ------
    ArgumentError
        An item is no Module, or a key is not a valid name.
    """


@register
class ParameterList(List[ParameterLike]):
    """A list of parameters.

    Parameters
    ----------
    items : iterable of Parameter or array
        Named '0', '1', ...; arrays become parameters. They can be changed as in a list.

    Raises
    ------
    ArgumentError
        An item is neither.
    """

    _kind = Parameter


@register
class ParameterDict(Dict[ParameterLike]):
    """A dict of parameters.

    Parameters
    ----------
    items : mapping or iterable of pairs
        Parameters by name: strings without dots, or integers. Arrays become parameters.
        They can be changed as in a dict.

    Raises
    ------
    ArgumentError
        An item is neither, or a key is not a valid name.
    """

    _kind = Parameter
