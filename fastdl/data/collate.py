"""Batches made by a function of the user's, as for examples of several lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastdl.data.dataset import DataLike, Subset, as_dataset
from fastdl.data.mapped import MapDataset
from fastdl.errors import ArgumentError, DataError
from fastdl.structure import Structure, check_lengths, tree_map

Collate = Callable[[list[Any]], tuple]


class Collated:
    """A data set whose batches are made by a function, see `DataLoader`.

    Its labels are not known before a batch is made.

    Parameters
    ----------
    data : Dataset, list of examples, or anything that `as_dataset` takes
        Where the examples are.
    collate_fn : callable
        ``collate_fn(examples) -> (x, y)`` or ``(x, y, weight)``.
    """

    y = None

    def __init__(self, data: DataLike, collate_fn: Collate) -> None:
        if isinstance(collate_fn, type) or not callable(collate_fn):
            raise ArgumentError(
                f"DataLoader: collate_fn must be a function (examples) -> (x, y), got "
                f"{collate_fn!r:.60}"
            )
        self.examples = data if isinstance(data, list) else as_dataset(data)
        self.collate_fn = collate_fn

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, indices: np.ndarray) -> tuple[Structure, ...]:
        """Return what the function makes of the examples at ``indices``."""
        made = self.collate_fn([_at(self.examples, i) for i in indices.tolist()])
        if not isinstance(made, tuple) or len(made) not in (2, 3):
            raise DataError(
                f"DataLoader: collate_fn must return a tuple (x, y) or (x, y, weight), "
                f"got {type(made).__name__}"
            )
        batch = tuple(None if each is None else tree_map(_array, each) for each in made)
        names = ("x", "y", "weight")
        count = check_lengths(
            "DataLoader: collate_fn", **dict(zip(names, batch, strict=False))
        )
        if count != len(indices):
            raise DataError(
                f"DataLoader: collate_fn made {count} rows of {len(indices)} examples"
            )
        return batch

    def __repr__(self) -> str:
        return f"Collated({len(self)} of {type(self.examples).__name__})"


def _at(examples: Any, index: int) -> object:
    """Return one example as its data set gives it, of whatever shape."""
    if isinstance(examples, Subset):
        return _at(examples.dataset, int(examples.indices[index]))
    if isinstance(examples, MapDataset):
        return examples.items[index]
    if isinstance(examples, Sequence) or hasattr(examples, "__getitem__"):
        return examples[index]
    return tuple(
        None if each is None else tree_map(lambda array: array[0], each)
        for each in examples.take(np.array([index]))
    )


def _array(value: object) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise DataError(
            f"DataLoader: collate_fn must return arrays of numbers with a row for each "
            f"example, got {array.dtype} of shape {array.shape}"
        )
    return array
