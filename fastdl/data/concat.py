"""Several data sets as one."""

from __future__ import annotations

from functools import partial

import numpy as np

from fastdl.data.dataset import (
    DataLike,
    Gathered,
    WeightedBatch,
    as_dataset,
    take_real,
    weights,
)
from fastdl.errors import DataError, DtypeError, ShapeError
from fastdl.shapes import rows
from fastdl.structure import Structure, entries, names, put, tree_map


class Concat(Gathered):
    """The examples of several data sets, one after the other, without copying them.

    They may be stored in different ways: some pictures as uint8 and others as float32,
    some arrays in memory and others in files.

    Parameters
    ----------
    *datasets : Dataset, array x, tuple (x, y) or (x, y, weight)
        At least one, none empty, all with examples of the same shape. Either all have
        labels (of one shape, all integers or all real numbers) or none do. If some have
        weights, the examples of the others weigh 1.

    Raises
    ------
    DataError, ShapeError, DtypeError
        There is no data set, one is empty, or they do not match; the message says which
        one, counting from 0.
    """

    def __init__(self, *datasets: DataLike) -> None:
        if not datasets:
            raise DataError("Concat: there is no data set")
        self.datasets = tuple(map(as_dataset, datasets))
        sizes = list(map(len, self.datasets))
        if 0 in sizes:
            raise DataError(f"Concat: data set {sizes.index(0)} is empty")
        self._ends = np.cumsum(sizes)
        firsts = [take_real(dataset, np.arange(1)) for dataset in self.datasets]
        for number, first in enumerate(firsts):
            _check_alike(first, firsts[0], number)
        self._columns = [_columns(values) for values in zip(*firsts, strict=True)]

    @property
    def y(self) -> Structure | None:
        """Labels or targets of all the examples, or None."""
        none = self._columns[1]
        if none is None:
            return None

        def joined(none: np.ndarray, *each: np.ndarray) -> np.ndarray:
            return np.concatenate(each, dtype=none.dtype, casting="same_kind")

        each = [y for dataset in self.datasets if (y := dataset.y) is not None]
        return tree_map(joined, none, *each)

    @property
    def weight(self) -> np.ndarray | None:
        """How much each of the examples counts, or None."""
        if self._columns[2] is None:
            return None
        each = [(weights(dataset), len(dataset)) for dataset in self.datasets]
        return np.concatenate([np.ones(m) if w is None else w for w, m in each])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, indices: np.ndarray) -> tuple:
        """Return new arrays (x, y) or (x, y, weight) of the examples at ``indices``.

        Pictures of uint8 become float32 in [0, 1], as in a loader.
        """
        indices = rows(indices, len(self), "Concat")
        source = np.searchsorted(self._ends, indices, side="right")
        room = [
            None if none is None else tree_map(partial(_room, m=len(indices)), none)
            for none in self._columns
        ]
        for number in np.unique(source):
            dataset, mine = self.datasets[number], source == number
            own = indices[mine] - (self._ends[number] - len(dataset))
            for column, values in zip(room, take_real(dataset, own), strict=True):
                if column is not None:
                    put(column, mine, 1 if values is None else values)
        x, y, weight = room
        return (x, y) if weight is None else (x, y, weight)

    def __repr__(self) -> str:
        return f"Concat({', '.join(map(repr, self.datasets))})"


def _check_alike(first: WeightedBatch, expected: WeightedBatch, number: int) -> None:
    """Raise unless x and y of an example match those of data set 0."""
    for name, values, others in zip("xy", first, expected, strict=False):
        if values is None or others is None:
            if values is not others:
                has = "no" if values is None else "a"
                raise DataError(f"Concat: data set {number} has {has} y, other than 0")
            continue
        own, common = entries(values, name), entries(others, name)
        if own != common:
            raise DataError(f"Concat: data set {number} has {own}, data set 0 {common}")
        check = partial(_check_array, number=number, is_target=name == "y")
        tree_map(check, names(values, name), values, others)


def _check_array(
    place: str, value: np.ndarray, other: np.ndarray, number: int, is_target: bool
) -> None:
    if value.shape != other.shape:
        raise ShapeError(
            f"Concat: {place} of an example of data set {number} has shape "
            f"{value.shape[1:]}, of data set 0 {other.shape[1:]}"
        )
    if is_target and (value.dtype.kind == "f") != (other.dtype.kind == "f"):
        raise DtypeError(
            f"Concat: {place} of data set {number} is {value.dtype}, of data set 0 "
            f"{other.dtype}; labels are integers, targets real numbers"
        )


def _columns(values: tuple[Structure, ...]) -> Structure:
    """Return empty arrays of the shape and type of all examples, or None."""
    known = [value for value in values if value is not None]
    return tree_map(_column, *known) if known else None


def _column(*known: np.ndarray) -> np.ndarray:
    dtype = np.result_type(*(value.dtype for value in known))
    if dtype.kind == "f" and all(value.dtype.kind in "biu" for value in known):
        dtype = np.dtype(np.int64)  # labels of uint64 and int64 stay integers
    return known[0][:0].astype(dtype)


def _room(column: np.ndarray, m: int) -> np.ndarray:
    return np.empty((m, *column.shape[1:]), column.dtype)
