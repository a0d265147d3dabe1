"""Data sets: examples in rows, fetched many at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import numpy as np

from fastdl import shapes
from fastdl.data.mapped import MapDataset, MapStyle, is_map_style
from fastdl.data.pictures import as_float, same_array, take_float, take_rows
from fastdl.data.table import as_array, columns_of
from fastdl.errors import DataError, DtypeError, ShapeError
from fastdl.structure import (
    Structure,
    at,
    check_lengths,
    leaves,
    names,
    tree_map,
)
from fastdl.typing import ArrayLike, ArraysLike, Index

Batch = tuple[Structure, Structure]  # y may be None
WeightedBatch = tuple[Structure, Structure, "np.ndarray | None"]


@runtime_checkable
class Dataset(Protocol):
    """What `DataLoader` and `split` need: a length, the labels, and `take`.

    Any class with these three works, for example one that reads pictures from
    disk on demand. So does one with ``__len__`` and ``__getitem__``, through
    `MapDataset`, whether or not it derives from this one. It may also have ``weight``,
    (m,): how much each example counts in the loss.
    """

    @property
    def y(self) -> Structure | None:
        """Labels or targets of all the examples, or None without labels."""

    def __len__(self) -> int: ...

    def take(self, indices: np.ndarray) -> Batch:
        """Return new arrays (x, y) of the examples at ``indices``; y may be None.

        Or (x, y, weight), if each example comes with its weight.
        """


@runtime_checkable
class SparseLike(Protocol):
    """A sparse matrix or array of SciPy, known by what it can be turned into."""

    dtype: Any
    shape: Any

    def tocsr(self) -> SparseLike:
        """Return it by rows."""

    def toarray(self) -> np.ndarray:
        """Return it as an array."""


DataLike: TypeAlias = (
    Dataset
    | SparseLike
    | MapStyle
    | ArrayLike
    | Mapping[str, ArraysLike]
    | tuple[ArraysLike, ArraysLike | None]
    | tuple[ArraysLike, ArraysLike | None, ArrayLike]
)
"""What `as_dataset` takes: a data set, x, (x, y) or (x, y, weight)."""


class ArrayDataset:
    """Examples in memory.

    The arrays are shared, not copied, and never written.

    Parameters
    ----------
    x : array_like, (m, ...), or tuple or dict of array_like
        Inputs, one example per row, numbers of any type. Images are
        (m, h, w, c); of uint8 they become float32 in [0, 1] in the loader, see
        `fastdl.data.as_float`. A tuple or a dict is for a model of several inputs,
        which is called as ``model(*x)`` or ``model(**x)``.
    y : array_like, (m, ...), or tuple or dict of array_like, optional
        Labels (integers) or targets.
    weight : array_like, (m,), optional
        How much each example counts in the loss: finite and >= 0; 0 leaves it out.

    Raises
    ------
    ShapeError
        When one of them is a single number, their lengths differ, or the number of
        weights is not the number of examples.
    DtypeError
        When one of them is not numeric.
    DataError
        When a weight is negative or not finite, or all are 0.
    """

    def __init__(
        self,
        x: ArraysLike,
        y: ArraysLike | None = None,
        weight: ArrayLike | None = None,
    ) -> None:
        self.x: Structure = _numbers(x, "x")
        self.y: Structure | None = None if y is None else _numbers(y, "y")
        self._length = check_lengths("ArrayDataset", x=self.x, y=self.y)
        self.weight: np.ndarray | None = None
        if weight is not None:
            self.weight = _weights(_array(weight, "weight"), len(self))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Index) -> tuple[Any, Any]:
        return at(self.x, index), None if self.y is None else at(self.y, index)

    def take(self, indices: np.ndarray) -> Batch:
        """Return new arrays (x, y) of the examples at ``indices``."""
        y = None if self.y is None else take_each(self.y, indices)
        return take_each(self.x, indices), y

    def __repr__(self) -> str:
        return f"ArrayDataset(x={_describe(self.x)}, y={_describe(self.y)})"


class SparseRows(Dataset):
    """Rows of a sparse matrix of SciPy, made dense batch by batch.

    Parameters
    ----------
    x : sparse matrix or array, (m, features)
        Numbers.
    y, weight
        As in `ArrayDataset`, which also says what raises.
    """

    def __init__(
        self,
        x: SparseLike,
        y: ArraysLike | None = None,
        weight: ArrayLike | None = None,
    ) -> None:
        self.x: Any = x.tocsr()
        if self.x.dtype.kind not in "biuf":
            raise DtypeError(f"SparseRows: x needs numbers, got dtype {self.x.dtype}")
        dense = ArrayDataset(np.empty((self.x.shape[0], 0)), y, weight)
        self._y, self.weight = dense.y, dense.weight

    @property
    def y(self) -> Structure | None:
        """Labels or targets of all the examples, or None."""
        return self._y

    def __len__(self) -> int:
        return self.x.shape[0]

    def take(self, indices: np.ndarray) -> Batch:
        """Return new arrays (x, y) of the examples at ``indices``."""
        y = None if self.y is None else take_each(self.y, indices)
        return self.x[indices].toarray(), y

    def __repr__(self) -> str:
        return f"SparseRows(x={self.x.dtype}{self.x.shape}, y={_describe(self.y)})"


def in_memory(
    x: ArraysLike | SparseLike,
    y: ArraysLike | None = None,
    weight: ArrayLike | None = None,
) -> ArrayDataset | SparseRows:
    """Return a data set of arrays, or of the rows of a sparse matrix."""
    if isinstance(x, SparseLike):
        return SparseRows(x, y, weight)
    return ArrayDataset(x, y, weight)


class Gathered(Dataset):
    """What `Subset` and `Concat` share: examples that `take` gathers at each use."""

    @property
    def x(self) -> Structure:
        """The inputs of all examples, gathered at each use.

        Raises
        ------
        DataError
            They take more than half of the memory of this machine.
        """
        first = leaves(self.take(np.arange(min(1, len(self))))[0])
        size = len(self) * sum(each.nbytes for each in first)
        if size > most_memory():
            raise DataError(
                f"{self!r}: all x take {size / 2**30:.1f} GB, too much for one array; "
                f"take(indices) returns some of them"
            )
        return self.take(np.arange(len(self)))[0]

    def __getitem__(self, index: Index) -> tuple[Any, ...]:
        picked = np.arange(len(self))[index]
        taken = self.take(np.atleast_1d(picked))
        if np.ndim(picked):
            return taken
        return tuple(None if each is None else at(each, 0) for each in taken)


class Subset(Gathered):
    """Some examples of another data set, without copying them.

    Parameters
    ----------
    dataset : Dataset
        The whole, or anything that `as_dataset` takes.
    indices : index
        Anything that picks from a one-dimensional array: integers, a slice, a
        boolean mask of ``len(dataset)``.

    Raises
    ------
    DataError
        When the indices are out of range or have more than one dimension.
    """

    def __init__(self, dataset: DataLike, indices: Index) -> None:
        self.dataset = dataset = as_dataset(dataset)
        try:
            self.indices = np.arange(len(dataset))[indices]
        except IndexError as error:
            raise DataError(
                f"Subset: cannot pick these indices from {len(dataset)} examples: "
                f"{error}"
            ) from None
        if self.indices.ndim != 1:
            raise DataError(
                f"Subset: indices need one dimension, got {self.indices.ndim}"
            )

    @property
    def y(self) -> Structure | None:
        """Labels or targets of all the examples, or None."""
        y = self.dataset.y
        return None if y is None else at(y, self.indices)

    @property
    def weight(self) -> np.ndarray | None:
        """How much each of the examples counts, or None."""
        weight = weights(self.dataset)
        return None if weight is None else weight[self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: np.ndarray) -> Batch:
        """Return what the whole returns for the examples at ``indices``."""
        return self.dataset.take(self.indices[indices])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.dataset!r})"


def as_dataset(data: DataLike) -> Dataset:
    """Return ``data`` as a data set.

    Parameters
    ----------
    data : Dataset, array (m, ...), tuple (x, y) or (x, y, weight) of arrays
        An array, or what becomes one (a tensor, a table of numbers), means inputs
        without labels; so does a dict of them, and a sparse matrix of SciPy. Within a
        tuple, x and y may be tuples or dicts.
        An object with ``__len__`` and ``__getitem__`` becomes a `MapDataset`.

    Raises
    ------
    DataError
        For anything else. A list is refused: ``[x, y]`` could be two examples or
        inputs and labels; and a dict of "x" and "y", which are hardly both inputs.
    """
    # These first: isinstance(data, Dataset) would compute all their labels.
    if isinstance(data, (ArrayDataset, SparseRows, MapDataset, Gathered)):
        return data
    if isinstance(data, SparseLike):
        return SparseRows(data)
    if is_array_like(data) and not isinstance(data, list):
        return ArrayDataset(data)
    if isinstance(data, Mapping) and not {"x", "y"} <= data.keys():
        named: dict[str, Any] = dict(data)
        return ArrayDataset(named)
    if isinstance(data, tuple) and len(data) in (2, 3):
        return in_memory(*data)
    # A subclass of the protocol that has __getitem__ alone inherits a `take` of no use.
    takes = getattr(type(data), "take", None) is not Dataset.take
    if takes and isinstance(data, Dataset):
        return data
    if is_map_style(data):
        return MapDataset(data)
    hint = ""
    if isinstance(data, Mapping):
        hint = "; labels stand beside the inputs: (data['x'], data['y'])"
    elif isinstance(data, list):
        hint = "; make it an array, or a MapDataset if these are examples"
    elif hasattr(data, "train") and hasattr(data, "test"):
        hint = "; give a part of it, .train or .test"
    elif hasattr(data, "__getitem__") or hasattr(data, "__iter__"):
        hint = "; a data set of your own needs both __len__ and __getitem__"
    raise DataError(
        "data must be an array x, a tuple (x, y) or (x, y, weight), or a data set such "
        f"as ArrayDataset(x, y); got {type(data).__name__}{hint}"
    )


def is_array_like(data: object) -> TypeGuard[ArrayLike]:
    """Whether `data` is an array, a list, or converts to an array (tensor, table)."""
    return isinstance(data, (np.ndarray, list)) or hasattr(data, "__array__")


def weights(dataset: Dataset) -> np.ndarray | None:
    """Return how much each example counts, (m,), or None if all count the same."""
    return getattr(dataset, "weight", None)


def take_each(structure: Structure, indices: np.ndarray) -> Structure:
    """Return rows of each array as new arrays."""
    return tree_map(lambda array: take_rows(array, indices), structure)


def take_real(dataset: Dataset, indices: np.ndarray) -> WeightedBatch:
    """Return (x, y, weight) of the examples, pictures as float32 in [0, 1].

    y or weight is None if there is none. From arrays in memory, pictures are gathered
    and scaled in one pass, without holding the GIL.
    """
    if type(dataset) is Subset:
        return take_real(dataset.dataset, dataset.indices[indices])
    weight = None
    if type(dataset) is ArrayDataset:
        x, y = dataset.x, dataset.y
        if y is not None:
            inputs = leaves(x)

            def take(array: np.ndarray) -> np.ndarray:
                is_input = any(same_array(each, array) for each in inputs)
                return (take_float if is_input else take_rows)(array, indices)

            y = tree_map(take, y)
        x = tree_map(lambda array: take_float(array, indices), x)
    else:
        x, y, weight = (*dataset.take(indices), None)[:3]
        x = tree_map(as_float, x)
    if weight is None and (all_weights := weights(dataset)) is not None:
        weight = all_weights[indices]
    return x, y, weight


def most_memory() -> float:
    """Return half of the memory of this machine, in bytes; no limit on Windows."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2


def _numbers(values: ArraysLike, name: str) -> Structure:
    return tree_map(_array, values, names(values, name))


def _array(values: ArrayLike, name: str) -> np.ndarray:
    if (columns := columns_of(values)) is not None:
        return as_array(columns, name)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError(
            f"ArrayDataset: {name} is a masked array, and {values.mask.sum()} of its "
            f"values are masked; fill them, {name}.filled(value), or leave them out"
        )
    try:
        array = shapes.array(values, f"ArrayDataset: {name}")
    except ShapeError as error:
        raise ShapeError(f"{error} Several inputs or targets are a tuple") from None
    if array.dtype.kind not in "biuf":
        hint = ""
        if array.dtype.kind in "UST" or _holds_texts(array):
            hint = "; number text labels with np.unique(labels, return_inverse=True)"
        elif array.dtype.kind == "O":
            hint = "; are all rows of the same length?"
        raise DtypeError(
            f"ArrayDataset: {name} needs numbers, got dtype {array.dtype}{hint}"
        )
    if array.ndim == 0:
        raise ShapeError(f"ArrayDataset: {name} needs rows, got a single number")
    return array


def _holds_texts(array: np.ndarray) -> bool:
    """Whether it is a column of texts, as tables store them."""
    return array.ndim == 1 and any(isinstance(each, str) for each in array)


def _weights(weight: np.ndarray, m: int) -> np.ndarray:
    if weight.shape != (m,):
        raise ShapeError(
            f"ArrayDataset: expected one weight for each of the {m} examples, got "
            f"shape {weight.shape}"
        )
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(bad):
        raise DataError(
            f"ArrayDataset: weight[{bad[0]}] is {weight[bad[0]]}; each must be a "
            f"finite number >= 0"
        )
    if m and not weight.any():
        raise DataError("ArrayDataset: all weights are 0, so nothing counts")
    return weight


def _describe(structure: Structure) -> str:
    if structure is None:
        return "None"
    return str(tree_map(lambda array: f"{array.dtype}{array.shape}", structure))
