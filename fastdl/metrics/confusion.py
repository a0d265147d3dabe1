"""The confusion matrix, and what derives from it: precision, recall, F1.

Definitions as in Manning, Raghavan & Schütze, *Introduction to Information Retrieval*,
chapter 8. Where a ratio is 0 / 0 it counts as 0: the precision of a class that is never
predicted, the recall of a class without examples, the F1 of a class with neither.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from fastdl.errors import ArgumentError, DataError, ShapeError, suggest
from fastdl.metrics.labels import as_labels, check_range
from fastdl.metrics.metric import Metric
from fastdl.shapes import integer

_AVERAGES = ("macro", "micro", "weighted", "binary")


class _ByClass(Metric):
    """Counts by class, in an array that grows with the largest label so far.

    Parameters
    ----------
    classes : int, optional
        As `ConfusionMatrix` takes it.
    """

    _axes: ClassVar[int]  # of the array that have the length of the classes
    _most: ClassVar[int]  # classes that there is memory for

    def __init__(self, classes: int | None = None) -> None:
        self._given = classes
        self.reset()

    @abstractmethod
    def _count(self, true: np.ndarray, pred: np.ndarray, size: int) -> np.ndarray:
        """Count labels (b,) of `size` classes."""

    def update(self, y_true: Any, y_pred: Any) -> None:
        """Add a batch: labels (b,) or rows (b, classes)."""
        true, pred, classes = as_labels(y_true, y_pred, self._known)
        seen = self._size
        if classes is None and len(true):
            seen = max(seen, int(true.max()) + 1, int(pred.max()) + 1)
            check_range(true, seen, "y_true")  # a negative label
            check_range(pred, seen, "y_pred")
        self._make_room(seen, classes)
        self._counts += self._count(true, pred, self._size)

    def merge(self, other: Any) -> None:
        """Add all examples that another metric of the same kind has seen.

        Raises
        ------
        ShapeError, DataError
            The other one has another number of classes, or a label beyond it.
        """
        self._check_kind(other)
        known = self._known or other._known
        if other._known not in (None, known):
            raise ShapeError(
                f"{self.name}: merge needs one of {known} classes, got {other._known}"
            )
        self._make_room(max(self._size, other._size), known)
        self._counts[tuple(map(slice, other._counts.shape))] += other._counts

    def reset(self) -> None:
        """Forget all."""
        self._known: int | None = None
        self._counts = np.zeros((0,) * self._axes + (3,) * (2 - self._axes), np.int64)
        self._make_room(0, self._given)

    @property
    def _size(self) -> int:
        return len(self._counts)

    def _make_room(self, seen: int, known: int | None) -> None:
        """Make the array as large as what was seen, or what is known, needs."""
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


class ConfusionMatrix(_ByClass):
    """`fastdl.metrics.confusion_matrix` over batches, with what derives from it.

    Parameters
    ----------
    classes : int, optional
        The number of classes, at most 8,192; by default the width of the rows when
        there are any, else the largest label so far + 1.
    """

    name = "confusion_matrix"
    _axes = 2
    _most = 1 << 13  # half a gigabyte

    def __init__(self, classes: int | None = None) -> None:
        if classes is not None:
            classes = integer(classes, "ConfusionMatrix: classes")
        super().__init__(classes)

    @property
    def classes(self) -> int:
        """The number of classes; as far as they are known."""
        return self._size

    def _count(self, true: np.ndarray, pred: np.ndarray, size: int) -> np.ndarray:
        counts = np.bincount(true * size + pred, minlength=size * size)
        return counts.reshape(size, size)

    def result(self) -> np.ndarray:
        """Return the counts so far, int64 (classes, classes), rows the true class.

        Raises
        ------
        DataError
            There are no examples, and the number of classes is not known either.
        """
        if not self._counts.size:
            raise DataError(f"{self.name}: no examples yet")
        return self._counts.copy()

    def accuracy(self) -> float:
        """Return the share of right answers."""
        if not self._counts.any():
            raise DataError("accuracy: no examples yet")
        return float(np.trace(self._counts) / self._counts.sum())

    def precision(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.precision`, per class or averaged."""
        return self._ratio(Precision(average))

    def recall(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.recall`, per class or averaged."""
        return self._ratio(Recall(average))

    def f1(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.f1`, per class or averaged."""
        return self._ratio(F1(average))

    def _ratio(self, metric: _Ratio) -> Any:
        """Return what a metric would be that had seen the same examples."""
        matrix = self._counts
        columns = (np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1))
        metric._take(np.stack(columns, axis=1), self._known)
        return metric.result()


class _Ratio(_ByClass):
    """A ratio of counts by class; exact, since it keeps these."""

    _axes = 1  # the columns: right answers, predictions, examples
    _most = 1 << 22
    _word = ""

    def __init__(self, average: str | None = "macro") -> None:
        check_average(average, self._word)
        self.average = average
        super().__init__(2 if average == "binary" else None)

    @property
    def name(self) -> str:
        """Such as "f1"; with another average than "macro", "micro_f1"."""
        if self.average in ("macro", None):
            return self._word
        return f"{self.average}_{self._word}"

    @staticmethod
    @abstractmethod
    def _parts(right: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        """Return the numerator and the denominator, (classes,)."""

    def _count(self, true: np.ndarray, pred: np.ndarray, size: int) -> np.ndarray:
        columns = (true[true == pred], pred, true)
        return np.stack([np.bincount(c, minlength=size) for c in columns], axis=1)

    def _take(self, counts: np.ndarray, known: int | None) -> None:
        """Take over the counts (classes, 3) of others."""
        if self.average == "binary" and (len(counts) > 2 or known == 1):
            raise ShapeError(
                f"{self._word}: average='binary' needs 2 classes, there are "
                f"{len(counts)}; use 'macro', 'micro' or 'weighted'"
            )
        self._make_room(len(counts), self._known or known)
        self._counts[: len(counts)] = counts

    def result(self) -> Any:
        """Return the value, per class or averaged; DataError without examples."""
        if not self._counts.any():
            raise DataError(f"{self._word}: no examples yet")
        right, predicted, actual = self._counts.T
        numerator, denominator = self._parts(right, predicted, actual)
        if self.average == "micro":
            return float(numerator.sum() / denominator.sum())
        each = np.zeros(self._size)
        np.divide(numerator, denominator, out=each, where=denominator > 0)
        if self.average is None:
            return each
        if self.average == "binary":
            return float(each[1])
        if self.average == "weighted":
            return float(np.average(each, weights=actual))
        return float(each[predicted + actual > 0].mean())

    def _settings(self) -> tuple:
        return (self.average,)


class Precision(_Ratio):
    """`fastdl.metrics.precision` over batches; by default of all classes alike."""

    _word = "precision"

    @staticmethod
    def _parts(right: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        return right, predicted


class Recall(_Ratio):
    """`fastdl.metrics.recall` over batches; by default of all classes alike."""

    _word = "recall"

    @staticmethod
    def _parts(right: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        return right, actual


class F1(_Ratio):
    """`fastdl.metrics.f1` over batches; by default of all classes alike.

    Parameters
    ----------
    average : {"macro", "micro", "weighted", "binary", None}
        As in `fastdl.metrics.precision`. `fastdl.Trainer` takes single numbers, so no
        None, which gives one for each class.
    """

    _word = "f1"

    @staticmethod
    def _parts(right: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        return 2 * right, predicted + actual


def check_average(average: str | None, operation: str) -> None:
    """Raise ArgumentError unless ``average`` is None or one of the known words."""
    if average is not None and average not in _AVERAGES:
        raise ArgumentError(
            f"{operation}: unknown average {average!r}"
            + suggest(str(average), _AVERAGES)
        )
