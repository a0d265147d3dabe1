"""Data sets that return one example at a time, as written for PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol, TypeGuard

import numpy as np

from fastdl.errors import DataError, DtypeError, ShapeError
from fastdl.structure import Structure, entries, leaves, names, put, tree_map

Example = list[Structure]  # x, y, weight; the last two may be None

_FIELDS = ("x", "y", "weight")
_OTHERS = (str, bytes, bytearray, list, tuple, range, Mapping)


class MapStyle(Protocol):
    """What `MapDataset` turns into a data set: examples by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


def is_map_style(data: object) -> TypeGuard[MapStyle]:
    """Whether an object has examples ``data[i]``, i from 0 to ``len(data) - 1``.

    Lists and dicts do too, but they usually mean something else.
    """
    kind = type(data)
    counts = hasattr(kind, "__len__") and hasattr(kind, "__getitem__")
    return counts and not isinstance(data, _OTHERS)


class MapDataset:
    """A `Dataset` made from an object that returns single examples by index.

    What is passed to `fit`, `evaluate`, `predict`, `DataLoader` or `split` is wrapped
    automatically if necessary ::

        class Pictures:
            def __init__(self, paths, labels):
                self.paths, self.labels = paths, labels

            def __len__(self):
                return len(self.paths)

            def __getitem__(self, index):
                return read(self.paths[index]), self.labels[index]

        trainer.fit(Pictures(paths, labels), epochs=5)

    A `DataLoader` calls ``__getitem__`` from its threads, and several at once if it has
    several workers.

    Parameters
    ----------
    items : object
        ``items[i]`` for i in [0, len(items)) is x, or a tuple (x,), (x, y) or
        (x, y, weight): numbers, arrays, or what converts to arrays, such as tensors of
        another library. x and y may be tuples or dicts of arrays, if the item is a
        tuple. All items have the shapes and types of item 0. y may be None;
        weight is a number, finite and >= 0. A list of such items is fine here.

    Raises
    ------
    DataError, ShapeError, DtypeError
        Item 0 is none of these, or, later, an item differs from it. The message names
        the item.
    """

    def __init__(self, items: MapStyle) -> None:
        self.items = items
        self._first: Any = None
        self._labels: Structure | None = None  # of the examples seen so far
        if len(items) == 0:
            return
        _, y, weight = self._first = _example(items[0], 0)
        if weight is not None and weight.ndim > 0:
            raise ShapeError(f"{_name(0)}: weight must be a number, got {weight!r:.60}")
        if y is not None and all(each.ndim < 2 for each in leaves(y)):
            self._labels = _room(y, len(items))
            self._seen = np.zeros(len(items), bool)

    @property
    def remembers_labels(self) -> bool:
        """Whether `y` needs a pass through the examples only once, not every time."""
        return self._labels is not None

    @property
    def y(self) -> Structure | None:
        """Labels or targets of all the examples, or None.

        This takes a pass through the examples; labels that were seen before are
        remembered.
        """
        if self._labels is None:
            return self._column(1)
        for index in np.flatnonzero(~self._seen).tolist():
            self._get(index)
        return self._labels

    @property
    def weight(self) -> np.ndarray | None:
        """How much each example counts, or None; needs a pass through the examples."""
        return self._column(2)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def take(self, indices: np.ndarray) -> tuple:
        """Return new arrays (x, y) or (x, y, weight) of the examples at ``indices``."""
        if self._first is None:
            raise DataError("MapDataset: the data set is empty")
        columns = [
            None if value is None else _room(value, len(indices))
            for value in self._first
        ]
        for row, index in enumerate(indices.tolist()):
            for column, value in zip(columns, self._get(index), strict=True):
                if column is not None:
                    put(column, row, value)
        x, y, weight = columns
        return (x, y) if weight is None else (x, y, weight)

    def __repr__(self) -> str:
        return f"MapDataset({len(self)} of {type(self.items).__name__})"

    def _column(self, field: int) -> Structure | None:
        if self._first is None or self._first[field] is None:
            return None
        column = _room(self._first[field], len(self))
        for index in range(len(self)):
            put(column, index, self._get(index)[field])
        return column

    def _get(self, index: int) -> Example:
        """Return an example, and remember its labels."""
        example = _example(self.items[index], index)
        for name, value, first in zip(_FIELDS, example, self._first, strict=True):
            _check_alike(name, value, first, index)
        _, y, weight = example
        if weight is not None and not 0 <= weight < np.inf:
            raise DataError(
                f"{_name(index)}: weight is {weight}; it must be a finite number >= 0"
            )
        if self._labels is not None:
            put(self._labels, index, y)
            self._seen[index] = True
        return example


def _example(item: object, index: int) -> Example:
    """Return x, y and weight of an item; None for what it lacks."""
    fields = item if isinstance(item, tuple) else (item,)
    if isinstance(item, (str, bytes, list, Mapping)) or not 0 < len(fields) <= 3:
        kind = type(item).__name__
        if isinstance(item, tuple):
            kind += f" of {len(fields)}"
        raise DataError(
            f"{_name(index)} must be x, a tuple (x, y) or (x, y, weight), got a {kind}"
        )
    fields += (None,) * (3 - len(fields))
    return [
        None if value is None and name != "x" else _arrays(value, name, index)
        for name, value in zip(_FIELDS, fields, strict=True)
    ]


def _room(example: Structure, m: int) -> Structure:
    """Return empty arrays for m examples like this one."""
    return tree_map(lambda each: np.empty((m, *each.shape), each.dtype), example)


def _arrays(value: Structure, name: str, index: int) -> Structure:
    if name == "weight":
        return _array(value, name, index)
    return tree_map(partial(_array, index=index), value, names(value, name))


def _array(value: object, name: str, index: int) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of lists of different lengths
        raise ShapeError(f"{_name(index)}: {name} is no array: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DtypeError(
            f"{_name(index)}: {name} needs numbers, got {type(value).__name__} of type "
            f"{array.dtype}"
        )
    return array


def _check_alike(
    name: str, value: Structure | None, first: Structure | None, index: int
) -> None:
    """Raise unless a field of an example has the shape and type of that of item 0."""
    if value is None or first is None:
        if value is not first:
            has = "has no" if value is None else "has a"
            raise DataError(f"{_name(index)} {has} {name}, other than item 0")
        return
    own, expected = entries(value, name), entries(first, name)
    if own != expected:
        raise DataError(f"{_name(index)} has {own}, but item 0 has {expected}")
    tree_map(partial(_check_array, index=index), names(value, name), value, first)


def _check_array(place: str, array: np.ndarray, first: np.ndarray, index: int) -> None:
    if array.shape != first.shape:
        raise ShapeError(
            f"{_name(index)}: {place} has shape {array.shape}, but that of item 0 is "
            f"{first.shape}; all examples need one shape"
        )
    if array.dtype != first.dtype:
        raise DtypeError(
            f"{_name(index)}: {place} is {array.dtype}, but that of item 0 is "
            f"{first.dtype}; all examples need one type"
        )


def _name(index: int) -> str:
    return f"item {index} of the data set"
