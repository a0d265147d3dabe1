"""Data of any form, as batches for a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastdl.data import DataLoader
from fastdl.errors import ArgumentError
from fastdl.nn import Module


def as_loader(data: Any, batch_size: int = 256) -> DataLoader:
    """Return a loader as it is, other data in batches, in order."""
    return data if isinstance(data, DataLoader) else DataLoader(data, batch_size)


def training_loader(
    train: Any, batch_size: int, shuffle: bool, seed: int
) -> DataLoader:
    """Return a loader as it is, other data in batches as they are asked for.

    Raises
    ------
    ArgumentError
        Beside a loader, something other than the defaults of ``fit`` is asked for.
    """
    if not isinstance(train, DataLoader):
        return DataLoader(train, batch_size, shuffle, seed)
    if (batch_size, shuffle, seed) != (32, True, 0):
        raise ArgumentError(
            "fit: batch_size, shuffle and seed belong to the DataLoader; give them "
            "where it is made"
        )
    return train


def converted(batches: Iterable[tuple], model: Module) -> Iterator[tuple]:
    """Give the batches with real numbers in the type of the model's parameters."""
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    for x, y, *weight in batches:
        if y is not None and y.dtype.kind == "f":
            y = y.astype(dtype, copy=False)
        yield x.astype(dtype, copy=False), y, *weight
