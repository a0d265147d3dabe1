"""Several data sets as one."""

from __future__ import annotations

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
        self._columns = [_column(values) for values in zip(*firsts, strict=True)]

    @property
    def y(self) -> np.ndarray | None:
        """Labels or targets of all the examples, or None."""
        none = self._columns[1]
        if none is None:
            return None
        each = [y for dataset in self.datasets if (y := dataset.y) is not None]
        return np.concatenate(each, dtype=none.dtype, casting="same_kind")

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
        x, y, weight = (
            None
            if none is None
            else np.empty((len(indices), *none.shape[1:]), none.dtype)
            for none in self._columns
        )
        for number in np.unique(source):
            dataset, mine = self.datasets[number], source == number
            own = indices[mine] - (self._ends[number] - len(dataset))
            taken = take_real(dataset, own)
            for column, values in zip((x, y, weight), taken, strict=True):
                if column is not None:
                    column[mine] = 1 if values is None else values
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
        if values.shape != others.shape:
            raise ShapeError(
                f"Concat: {name} of an example of data set {number} has shape "
                f"{values.shape[1:]}, of data set 0 {others.shape[1:]}"
            )
        if name == "y" and (values.dtype.kind == "f") != (others.dtype.kind == "f"):
            raise DtypeError(
                f"Concat: y of data set {number} is {values.dtype}, of data set 0 "
                f"{others.dtype}; labels are integers, targets real numbers"
            )


def _column(values: tuple[np.ndarray | None, ...]) -> np.ndarray | None:
    """Return an empty array of the shape and type of all examples, or None."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    dtype = np.result_type(*(value.dtype for value in known))
    if dtype.kind == "f" and all(value.dtype.kind in "biu" for value in known):
        dtype = np.dtype(np.int64)  # labels of uint64 and int64 stay integers
    return known[0][:0].astype(dtype)


def _room(column: np.ndarray | None, m: int) -> np.ndarray | None:
    return None if column is None else np.empty((m, *column.shape[1:]), column.dtype)
