"""Counts by class, which the confusion matrix and everything derived from it keep."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from fastdl.errors import ArgumentError, DataError, ShapeError, suggest
from fastdl.metrics.labels import as_labels, check_range, weights_of
from fastdl.metrics.metric import Metric
from fastdl.typing import ArrayLike

AVERAGES = ("macro", "micro", "weighted", "binary")


class ByClass(Metric):
    """Counts by class, in an array that grows with the largest label so far.

    Parameters
    ----------
    classes : int, optional
        As in `ConfusionMatrix`.
    """

    _axes: ClassVar[int]  # how many axes of the array run over the classes
    _most: ClassVar[int]  # the most classes that there is memory for

    def __init__(self, classes: int | None = None) -> None:
        self._given = classes
        self.reset()

    @abstractmethod
    def _count(
        self, true: np.ndarray, pred: np.ndarray, size: int, weight: np.ndarray | None
    ) -> np.ndarray:
        """Count labels (b,) of `size` classes, or add up their weights (b,)."""

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch: labels (b,) or rows (b, classes), and weights (b,)."""
        true, pred, classes = as_labels(y_true, y_pred, self._known)
        weight = weights_of(sample_weight, len(true), self.name)
        seen = self._size
        if classes is None and len(true):
            seen = max(seen, int(true.max()) + 1, int(pred.max()) + 1)
            check_range(true, seen, "y_true")  # a negative label
            check_range(pred, seen, "y_pred")
        self._make_room(seen, classes)
        self._add(self._count(true, pred, self._size, weight))

    def merge(self, other: ByClass) -> None:
        """Add all the examples that another metric of the same kind has seen.

        Raises
        ------
        ShapeError, DataError
            The other one has a different number of classes, or a label beyond it.
        """
        self._check_kind(other)
        known = self._known or other._known
        if other._known not in (None, known):
            raise ShapeError(
                f"{self.name}: merge needs one of {known} classes, got {other._known}"
            )
        self._make_room(max(self._size, other._size), known)
        self._add(other._counts)

    def reset(self) -> None:
        """Forget everything."""
        self._known: int | None = None
        self._counts = np.zeros((0,) * self._axes + (3,) * (2 - self._axes), np.int64)
        self._make_room(0, self._given)

    def _add(self, counts: np.ndarray) -> None:
        """Add counts of at most as many classes; sums of weights are not integers."""
        kind = np.result_type(self._counts, counts)
        self._counts = self._counts.astype(kind, copy=False)
        self._counts[tuple(map(slice, counts.shape))] += counts

    @property
    def _size(self) -> int:
        return len(self._counts)

    def _make_room(self, seen: int, known: int | None) -> None:
        """Enlarge the array to what was seen, or to the number of classes if known."""
        if known is not None and seen > known:
            raise DataError(
                f"{self.name}: there was a label {seen - 1}; with {known} classes "
                f"labels are 0 to {known - 1}"
            )
        size = known or seen
        if size > self._most:
            what = f"label {seen - 1}" if known is None else f"{known} classes"
            raise DataError(
                f"{self.name}: {what} is more than there is memory for, at most "
                f"{self._most:,} classes; number labels from 0, such as by "
                f"np.unique(labels, return_inverse=True)"
            )
        self._known = known
        more = [(0, size - self._size)] * self._axes + [(0, 0)] * (2 - self._axes)
        self._counts = np.pad(self._counts, more)


class ByPair(ByClass):
    """Counts how often class i was taken for class j, (classes, classes)."""

    _axes = 2
    _most = 1 << 13  # half a gigabyte

    def _count(
        self, true: np.ndarray, pred: np.ndarray, size: int, weight: np.ndarray | None
    ) -> np.ndarray:
        pairs = np.bincount(true * size + pred, weight, size * size)
        return pairs.reshape(size, size)


def check_average(
    average: str | None, operation: str, known: tuple[str, ...] = AVERAGES
) -> None:
    """Raise ArgumentError unless ``average`` is None or one of the known words."""
    if average is not None and average not in known:
        raise ArgumentError(
            f"{operation}: unknown average {average!r}{suggest(str(average), known)}"
        )
