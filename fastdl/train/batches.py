"""Data of any form, as batches for a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Number
from typing import TypeAlias

import numpy as np

from fastdl.data import ArrayDataset, DataLoader
from fastdl.data.dataset import DataLike, is_array_like
from fastdl.errors import ArgumentError
from fastdl.nn import Module
from fastdl.train.losses import LossLike
from fastdl.train.targets import as_targets
from fastdl.typing import ArrayLike

Source: TypeAlias = DataLike | DataLoader
"""Data with their labels, or inputs x alone."""


def one_source(operation: str, x: Source, y: ArrayLike | None, second: str) -> Source:
    """Return the x and y of a call as one source of data.

    Parameters
    ----------
    operation : str
        For the messages.
    x, y
        What the user gave; y None when x is all there is.
    second : str
        The option that the user meant when y turns out to be a number.

    Raises
    ------
    ArgumentError
        y is a number or not an array, or x has labels of its own.
    """
    if y is None:
        return x
    if isinstance(y, (Number, np.generic)) or (is_array_like(y) and np.ndim(y) == 0):
        raise ArgumentError(
            f"{operation}: the second place is for y, labels or targets, got {y}; did "
            f"you mean {second}={y}?"
        )
    if not is_array_like(x):
        raise ArgumentError(
            f"{operation}: x is a {type(x).__name__}, which brings its labels itself; "
            f"leave y out (data to measure the training by go into validation= of fit)"
        )
    if not is_array_like(y):
        raise ArgumentError(
            f"{operation}: y must be an array of labels or targets beside an array x, "
            f"got {type(y).__name__}"
        )
    return ArrayDataset(x, y)


def as_loader(data: Source, batch_size: int = 256) -> DataLoader:
    """Return a loader unchanged, and a loader of anything else, in order."""
    return data if isinstance(data, DataLoader) else DataLoader(data, batch_size)


def training_loader(
    train: Source, batch_size: int, shuffle: bool, seed: int
) -> DataLoader:
    """Return a loader unchanged, and a loader of anything else with these options.

    Raises
    ------
    ArgumentError
        Options of ``fit`` other than the defaults are given beside a loader.
    """
    if not isinstance(train, DataLoader):
        return DataLoader(train, batch_size, shuffle, seed)
    if (batch_size, shuffle, seed) != (32, True, 0):
        raise ArgumentError(
            "fit: batch_size, shuffle and seed belong to the DataLoader; give them "
            "where it is made"
        )
    return train


def converted(
    batches: Iterable[tuple], model: Module, loss: LossLike | None = None
) -> Iterator[tuple]:
    """Yield the batches in the dtype of the model's parameters.

    With a loss, y is converted to what that loss takes; without one, y is not used.
    """
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    for x, y, *weight in batches:
        x = x.astype(dtype, copy=False)
        if y is not None and loss is not None:
            y = as_targets(y, x, loss)
        yield x, y, *weight
