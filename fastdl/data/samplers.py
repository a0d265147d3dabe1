"""The order in which a loader takes the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np

from fastdl import shapes
from fastdl.data.dataset import DataLike, as_dataset
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError
from fastdl.shapes import flag, integer, rows
from fastdl.typing import ArrayLike

Sampler: TypeAlias = Callable[[np.random.Generator], ArrayLike] | ArrayLike
"""``sampler(rng) -> indices`` for an epoch, or indices that serve for all epochs."""

BatchSampler: TypeAlias = (
    Callable[[np.random.Generator], Iterable[ArrayLike]] | Sequence[ArrayLike]
)
"""As `Sampler`, with indices for each batch."""


class SequentialSampler:
    """Takes the examples in their own order.

    Parameters
    ----------
    data : Dataset, array x, tuple (x, y) or (x, y, weight)
        Only its length counts.
    """

    def __init__(self, data: DataLike) -> None:
        self.num_samples = len(as_dataset(data))

    def __len__(self) -> int:
        return self.num_samples

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """Return the indices of an epoch."""
        return np.arange(self.num_samples)


class SubsetRandomSampler:
    """Takes some of the examples, in a new order each epoch.

    Parameters
    ----------
    indices : array_like of int, (n,)
        Which ones.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        They are no list of integers from 0.
    """

    def __init__(self, indices: ArrayLike) -> None:
        self.indices = rows(indices, np.iinfo(np.int64).max, "SubsetRandomSampler")

    def __len__(self) -> int:
        return len(self.indices)

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """Return the indices of an epoch."""
        return rng.permutation(self.indices)


class RandomSampler:
    """Takes the examples at random, each as likely as any other.

    Parameters
    ----------
    data : Dataset, array x, tuple (x, y) or (x, y, weight)
        Only its length m counts.
    replacement : bool
        Whether an example may come several times in an epoch.
    num_samples : int, optional
        How many examples an epoch has, by default m; without replacement at most m.

    Raises
    ------
    ShapeError, ArgumentError
        An argument is out of range.
    """

    def __init__(
        self,
        data: DataLike,
        replacement: bool = False,
        num_samples: int | None = None,
    ) -> None:
        self.examples = m = len(as_dataset(data))
        if num_samples is None:
            num_samples = m
        self.replacement = flag(replacement, "RandomSampler: replacement")
        self.num_samples = _count(num_samples, m, self.replacement, "RandomSampler")

    def __len__(self) -> int:
        return self.num_samples

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """Return the indices of an epoch."""
        if self.replacement:
            return rng.integers(self.examples, size=self.num_samples)
        return rng.permutation(self.examples)[: self.num_samples]


class WeightedRandomSampler:
    """Takes the examples at random, some more often than others.

    So that each class comes as often as the others, whatever its share ::

        share = np.bincount(y) / len(y)
        sampler = WeightedRandomSampler(1 / share[y], len(y))
        loader = DataLoader((x, y), 32, sampler=sampler)

    Parameters
    ----------
    weights : array_like, (m,)
        How likely each example is, in proportion: finite and >= 0. 0 leaves it out.
    num_samples : int
        How many examples an epoch has.
    replacement : bool
        Whether an example may come several times in an epoch.

    Raises
    ------
    ShapeError, DtypeError, DataError, ArgumentError
        An argument is out of range.
    """

    def __init__(
        self, weights: ArrayLike, num_samples: int, replacement: bool = True
    ) -> None:
        self.weights = _weights(weights)
        self.replacement = flag(replacement, "WeightedRandomSampler: replacement")
        self.num_samples = _count(
            num_samples,
            int(np.count_nonzero(self.weights)),
            self.replacement,
            "WeightedRandomSampler",
        )

    def __len__(self) -> int:
        return self.num_samples

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """Return the indices of an epoch."""
        share = self.weights / self.weights.sum()
        return rng.choice(len(share), self.num_samples, self.replacement, share)


def check_sampler(sampler: object, name: str) -> None:
    """Raise ArgumentError for what is neither a sampler nor indices."""
    is_indices = isinstance(sampler, (Sequence, np.ndarray)) and not isinstance(
        sampler, (str, bytes)
    )
    if isinstance(sampler, type) or not (callable(sampler) or is_indices):
        raise ArgumentError(
            f"DataLoader: {name} must be indices, or a function (rng) -> indices such "
            f"as WeightedRandomSampler(weights, n), got {sampler!r:.60}; an iterator "
            f"keeps its own random state, which a loader can neither seed nor resume"
        )


def draw(sampler: Sampler | BatchSampler, rng: np.random.Generator) -> object:
    """Return what a sampler gives for an epoch."""
    return sampler(rng) if callable(sampler) else sampler


def times_before(order: np.ndarray) -> np.ndarray:
    """Return for each entry how often the same has come before."""
    places = np.argsort(order, kind="stable")
    ordered = order[places]
    times = np.empty(len(order), np.int64)
    times[places] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return times


def _count(number: int, available: int, replacement: bool, who: str) -> int:
    number = integer(number, f"{who}: num_samples")
    if not replacement and number > available:
        raise ArgumentError(
            f"{who}: {number} examples of {available} need replacement=True"
        )
    return number


def _weights(weights: ArrayLike) -> np.ndarray:
    array = shapes.array(weights, "WeightedRandomSampler: weights")
    if array.dtype.kind not in "biuf":
        raise DtypeError(
            f"WeightedRandomSampler: weights must be numbers, got {array.dtype}"
        )
    array = array.astype(np.float64)
    if array.ndim != 1:
        raise ShapeError(
            f"WeightedRandomSampler: expected weights (m,), got {array.shape}"
        )
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if len(bad):
        raise DataError(
            f"WeightedRandomSampler: weights[{bad[0]}] is {array[bad[0]]}; each must "
            f"be a finite number >= 0"
        )
    if not array.any():
        raise DataError("WeightedRandomSampler: all weights are 0")
    return array
