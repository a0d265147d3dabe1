"""Batches that come from elsewhere: a generator, another library's loader."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import TypeAlias, TypeGuard

import numpy as np

from fastdl.data import ArrayDataset, DataLoader
from fastdl.data.dataset import SparseLike, is_array_like, take_real
from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.shapes import integer

Stream: TypeAlias = Iterable[object] | Callable[[], Iterable[object]]
"""A generator or another iterable of batches, or a function that returns one."""


def is_stream(data: object) -> TypeGuard[Stream]:
    """Whether `data` gives batches one after the other, and nothing else."""
    known = (DataLoader, SparseLike, tuple, list, Mapping, str, type)
    if isinstance(data, known) or is_array_like(data):
        return False
    if callable(data) and not hasattr(data, "take"):
        return True
    by_number = hasattr(data, "__getitem__") or {"y", "take"} <= set(dir(data))
    return hasattr(data, "__iter__") and not by_number


class BatchStream(DataLoader):
    """A loader whose batches somebody else makes.

    Parameters
    ----------
    source : iterable, or callable that returns one
        Batches (x, y) or (x, y, weight), of whatever converts to arrays; their order
        and size are left to it. A generator goes on where it was from one epoch to the
        next; anything else begins again in each.
    steps : int, optional
        How many batches make an epoch; by default ``len(source)``.
    operation, option : str
        For the messages: who reads them, and what `steps` is called there.

    Raises
    ------
    ArgumentError
        Nothing tells how many batches there are.
    DataError, ShapeError, DtypeError
        While it is read: the source ends too early, or a batch is none.
    """

    def __init__(
        self, source: Stream, steps: int | None, operation: str, option: str
    ) -> None:
        self._source, self._operation, self._option = source, operation, option
        self._steps: int | None = None
        if steps is not None:
            self._steps = integer(steps, f"{operation}: {option}")
        elif isinstance(source, Sized):
            self._steps = len(source)
        if self._steps is None and operation == "fit":
            raise ArgumentError(
                f"fit: nothing tells when an epoch of a {_kind(source)} ends; give "
                f"{option}=, a number of batches"
            )
        self.epoch, self.transforms = 0, ()
        self.batch_size, self.shuffle, self.seed = 0, False, 0  # nobody knows
        self._open: Iterator[object] | None = None
        self._first: tuple | None = None  # read ahead
        self._given = 0

    def __len__(self) -> int:
        """How many batches there are in an epoch; very many if nobody knows."""
        return sys.maxsize if self._steps is None else self._steps

    @property
    def dataset(self) -> ArrayDataset:  # type: ignore[override]
        """The first batch, by which the data are judged before the first step."""
        x, y, *weight = self._peek()
        return ArrayDataset(x, y, *weight)

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Return the next batch, which will come again."""
        yield self._peek()

    def parts(
        self, epoch: int, part: int, parts: int, first: int = 0
    ) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        """Refuse to be shared: whoever makes the batches does not know of parts."""
        raise ArgumentError(
            "fit: several ranks take parts of the batches of a DataLoader; give one, "
            "not a generator"
        )

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        self.epoch += 1
        given = 0
        while given < len(self) and (batch := self._next()) is not None:
            given += 1
            yield batch
        if self._steps is not None and given < self._steps:
            raise DataError(
                f"{self._operation}: the {_kind(self._source)} ended after {given} "
                f"batches of pass {self.epoch}, but {self._option}={self._steps}; it "
                f"must give as many for each, or be a function that makes a new one"
            )
        if self._open is not self._source:
            self._open = None  # begin again

    def _peek(self) -> tuple:
        if self._first is None:
            self._first = self._next()
        if self._first is None:
            raise DataError(
                f"{self._operation}: the {_kind(self._source)} gives no batch"
            )
        return self._first

    def _next(self) -> tuple | None:
        """Return the next batch, or None at the end."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._open is None:
            source = self._source
            self._open = iter(source() if callable(source) else source)
        batch = next(self._open, None)
        return None if batch is None else self._converted(batch)

    def _converted(self, batch: object) -> tuple:
        """Return a batch as that of a loader, pictures as real numbers."""
        fields = batch if isinstance(batch, (tuple, list)) else (batch,)
        if not 0 < len(fields) <= 3:
            raise DataError(
                f"{self._operation}: a batch of a {_kind(self._source)} is (x, y) or "
                f"(x, y, weight), got {len(fields)} values"
            )
        try:
            dataset = ArrayDataset(*fields)
        except FastdlError as error:
            error.args = (f"{self._operation}: a batch of a generator: {error}",)
            raise
        x, y, weight = take_real(dataset, np.arange(len(dataset)))
        return (x, y) if weight is None else (x, y, weight)

    def __repr__(self) -> str:
        return f"BatchStream({_kind(self._source)}, {self._steps} batches)"


def _kind(source: Stream) -> str:
    return "function" if callable(source) else type(source).__name__
