"""The confusion matrix, and what derives from it: precision, recall, F1.

Definitions as in Manning, Raghavan & Schütze, *Introduction to Information Retrieval*,
chapter 8. Where a ratio is 0 / 0 it counts as 0: the precision of a class that is never
predicted, the recall of a class without examples, the F1 of a class with neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.errors import ArgumentError, DataError, ShapeError, suggest
from fastdl.metrics.labels import as_labels, check_range
from fastdl.metrics.metric import Metric
from fastdl.shapes import integer

_AVERAGES = ("macro", "micro", "weighted", "binary")


class ConfusionMatrix(Metric):
    """`fastdl.metrics.confusion_matrix` over batches, with what derives from it.

    Parameters
    ----------
    classes : int, optional
        The number of classes; by default the width of the rows when there are any, else
        the largest label so far + 1.
    """

    name = "confusion_matrix"

    def __init__(self, classes: int | None = None) -> None:
        if classes is not None:
            classes = integer(classes, "ConfusionMatrix: classes")
        self._given = classes
        self.reset()

    @property
    def classes(self) -> int:
        """The number of classes; as far as they are known."""
        return len(self._matrix)

    def update(self, y_true: Any, y_pred: Any) -> None:
        """Add a batch: labels (b,) or rows (b, classes)."""
        true, pred, classes = as_labels(y_true, y_pred, self._known)
        most = self.classes
        if classes is None and len(true):
            most = max(most, int(true.max()) + 1, int(pred.max()) + 1)
            check_range(true, most, "y_true")  # a negative label
            check_range(pred, most, "y_pred")
        self._make_room(most, classes)
        size = self.classes
        counts = np.bincount(true * size + pred, minlength=size * size)
        self._matrix += counts.reshape(size, size)

    def merge(self, other: ConfusionMatrix) -> None:
        """Add all examples that another matrix has counted.

        Raises
        ------
        ShapeError, DataError
            The other one has another number of classes, or a label beyond it.
        """
        self._check_kind(other)
        known = self._known or other._known
        if other._known not in (None, known):
            raise ShapeError(
                f"{self.name}: merge needs a matrix of {known} classes, got "
                f"{other._known}"
            )
        self._make_room(max(self.classes, other.classes), known)
        size = other.classes
        self._matrix[:size, :size] += other._matrix

    def result(self) -> np.ndarray:
        """Return the counts so far, int64 (classes, classes), rows the true class.

        Raises
        ------
        DataError
            There are no examples, and the number of classes is not known either.
        """
        if not self._matrix.size:
            raise DataError(f"{self.name}: no examples yet")
        return self._matrix.copy()

    def reset(self) -> None:
        """Forget all."""
        self._known = self._given
        size = self._given or 0
        self._matrix = np.zeros((size, size), np.int64)

    def accuracy(self) -> float:
        """Return the share of right answers."""
        return float(np.trace(self._counted("accuracy")) / self._matrix.sum())

    def precision(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.precision`, per class or averaged."""
        matrix = self._counted("precision", average)
        return _averaged(matrix, np.diag(matrix), matrix.sum(axis=0), average)

    def recall(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.recall`, per class or averaged."""
        matrix = self._counted("recall", average)
        return _averaged(matrix, np.diag(matrix), matrix.sum(axis=1), average)

    def f1(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.f1`, per class or averaged."""
        matrix = self._counted("f1", average)
        both = matrix.sum(axis=0) + matrix.sum(axis=1)
        return _averaged(matrix, 2 * np.diag(matrix), both, average)

    def _make_room(self, seen: int, known: int | None) -> None:
        """Make the matrix as large as what was seen, or what is known, needs."""
        if known is not None and seen > known:
            raise DataError(
                f"{self.name}: there was a label {seen - 1}; with {known} classes "
                f"labels are 0 to {known - 1}"
            )
        self._known = known
        more = (known or seen) - self.classes
        self._matrix = np.pad(self._matrix, (0, more))

    def _counted(self, operation: str, average: str | None = None) -> np.ndarray:
        check_average(average, operation)
        if average == "binary":
            if self.classes > 2 or self._known == 1:
                raise ShapeError(
                    f"{operation}: average='binary' needs 2 classes, there are "
                    f"{self.classes}; use 'macro', 'micro' or 'weighted'"
                )
            self._make_room(self.classes, 2)
        if not self._matrix.any():
            raise DataError(f"{operation}: no examples yet")
        return self._matrix


class _OfMatrix(Metric):
    """What derives from the confusion matrix; exact, since it keeps its counts."""

    _word = ""  # that of the method of `ConfusionMatrix`

    def __init__(self, average: str | None = "macro") -> None:
        check_average(average, self._word)
        self.average = average
        self._matrix = ConfusionMatrix(2 if average == "binary" else None)

    @property
    def name(self) -> str:
        """Such as "f1"; with another average than "macro", "micro_f1"."""
        if self.average in ("macro", None):
            return self._word
        return f"{self.average}_{self._word}"

    def update(self, y_true: Any, y_pred: Any) -> None:
        """Add a batch: labels (b,) or rows (b, classes)."""
        self._matrix.update(y_true, y_pred)

    def merge(self, other: _OfMatrix) -> None:
        """Add all examples that another metric of the same kind has seen."""
        self._check_kind(other)
        self._matrix.merge(other._matrix)

    def result(self) -> Any:
        """Return the value, per class or averaged; DataError without examples."""
        return getattr(self._matrix, self._word)(self.average)

    def reset(self) -> None:
        """Forget all."""
        self._matrix.reset()

    def _settings(self) -> tuple:
        return (self.average,)


class Precision(_OfMatrix):
    """`fastdl.metrics.precision` over batches; by default of all classes alike."""

    _word = "precision"


class Recall(_OfMatrix):
    """`fastdl.metrics.recall` over batches; by default of all classes alike."""

    _word = "recall"


class F1(_OfMatrix):
    """`fastdl.metrics.f1` over batches; by default of all classes alike.

    Parameters
    ----------
    average : {"macro", "micro", "weighted", "binary", None}
        As in `fastdl.metrics.precision`. `fastdl.Trainer` takes single numbers, so no
        None, which gives one for each class.
    """

    _word = "f1"


def check_average(average: str | None, operation: str) -> None:
    """Raise ArgumentError unless ``average`` is None or one of the known words."""
    if average is not None and average not in _AVERAGES:
        raise ArgumentError(
            f"{operation}: unknown average {average!r}"
            + suggest(str(average), _AVERAGES)
        )


def _averaged(
    matrix: np.ndarray,
    numerator: np.ndarray,
    denominator: np.ndarray,
    average: str | None,
) -> Any:
    if average == "micro":
        return float(numerator.sum() / denominator.sum())
    each = np.zeros(len(matrix))
    np.divide(numerator, denominator, out=each, where=denominator > 0)
    if average is None:
        return each
    if average == "binary":
        return float(each[1])
    support = matrix.sum(axis=1)
    if average == "weighted":
        return float(np.average(each, weights=support))
    occurs = support + matrix.sum(axis=0) > 0
    return float(each[occurs].mean())
