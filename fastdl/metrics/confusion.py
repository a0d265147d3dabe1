"""The confusion matrix, and what derives from it: precision, recall, F1.

Definitions as in Manning, Raghavan & Schütze, *Introduction to Information Retrieval*,
chapter 8. A ratio 0 / 0 counts as 0: the precision of a class that is never
predicted, the recall of a class without examples, the F1 of a class with neither.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fastdl.errors import DataError, ShapeError
from fastdl.metrics.by_class import ByClass, ByPair, check_average
from fastdl.metrics.metric import check_examples
from fastdl.shapes import integer


class ConfusionMatrix(ByPair):
    """`fastdl.metrics.confusion_matrix` over batches, and what derives from it.

    Parameters
    ----------
    classes : int, optional
        The number of classes, at most 8,192; by default the width of the rows if there
        are any, else the largest label so far + 1.
    """

    name = "confusion_matrix"

    def __init__(self, classes: int | None = None) -> None:
        if classes is not None:
            classes = integer(classes, "ConfusionMatrix: classes")
        super().__init__(classes)

    @property
    def classes(self) -> int:
        """The number of classes known so far."""
        return self._size

    def result(self) -> np.ndarray:
        """Return the counts so far, (classes, classes); rows are the true class.

        int64; if the examples have weights, their sums as float64.

        Raises
        ------
        DataError
            There are no examples, and the number of classes is unknown too.
        """
        if not self._counts.size:
            raise DataError(f"{self.name}: no examples yet")
        return self._counts.copy()

    def accuracy(self) -> float:
        """Return the share of right answers."""
        check_examples(self._counts.sum(), "accuracy")
        return float(np.trace(self._counts) / self._counts.sum())

    def precision(self, average: str | None = None) -> float | np.ndarray:
        """Return `fastdl.metrics.precision`, per class or averaged."""
        return self._ratio(Precision(average))

    def recall(self, average: str | None = None) -> float | np.ndarray:
        """Return `fastdl.metrics.recall`, per class or averaged."""
        return self._ratio(Recall(average))

    def f1(self, average: str | None = None) -> float | np.ndarray:
        """Return `fastdl.metrics.f1`, per class or averaged."""
        return self._ratio(F1(average))

    def _ratio(self, metric: _Ratio) -> float | np.ndarray:
        """Return the result of a metric that had seen the same examples."""
        matrix = self._counts
        columns = (np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1))
        metric._take(np.stack(columns, axis=1), self._known)
        return metric.result()


class _Ratio(ByClass):
    """A ratio of counts by class; exact, since it keeps the counts."""

    _axes = 1  # the columns: right answers, predictions, examples
    _most = 1 << 22
    _word = ""

    def __init__(self, average: str | None = "macro") -> None:
        check_average(average, self._word)
        self.average = average
        super().__init__(2 if average == "binary" else None)

    @property
    def name(self) -> str:
        """Such as "f1", or "micro_f1" for an average other than "macro"."""
        if self.average in ("macro", None):
            return self._word
        return f"{self.average}_{self._word}"

    @staticmethod
    @abstractmethod
    def _parts(
        right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the numerator and the denominator, (classes,)."""

    def _count(
        self, true: np.ndarray, pred: np.ndarray, size: int, weight: np.ndarray | None
    ) -> np.ndarray:
        right = true == pred
        of_right = None if weight is None else weight[right]
        columns = ((true[right], of_right), (pred, weight), (true, weight))
        counts = [np.bincount(labels, weights, size) for labels, weights in columns]
        return np.stack(counts, axis=1)

    def _take(self, counts: np.ndarray, known: int | None) -> None:
        """Add counts (classes, 3) taken elsewhere."""
        if self.average == "binary" and (len(counts) > 2 or known == 1):
            raise ShapeError(
                f"{self._word}: average='binary' needs 2 classes, there are "
                f"{len(counts)}; use 'macro', 'micro' or 'weighted'"
            )
        self._make_room(len(counts), self._known or known)
        self._add(counts)

    def result(self) -> float | np.ndarray:
        """Return the value, per class or averaged; DataError without examples."""
        check_examples(self._counts.sum(), self._word)
        right, predicted, actual = self._counts.T
        parts = self._parts(right, predicted, actual)
        if self.average == "binary":
            return float(divided(*parts)[1])
        occurs = predicted + actual > 0
        if self.average == "macro":
            parts = parts[0][occurs], parts[1][occurs]
        return averaged(parts, actual, self.average)

    def _settings(self) -> tuple:
        return (self.average,)


class Precision(_Ratio):
    """`fastdl.metrics.precision` over batches; by default the mean over classes."""

    _word = "precision"

    @staticmethod
    def _parts(
        right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return right, predicted


class Recall(_Ratio):
    """`fastdl.metrics.recall` over batches; by default the mean over classes."""

    _word = "recall"

    @staticmethod
    def _parts(
        right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return right, actual


class F1(_Ratio):
    """`fastdl.metrics.f1` over batches; by default the mean over classes.

    Parameters
    ----------
    average : {"macro", "micro", "weighted", "binary", None}
        As in `fastdl.metrics.precision`. `fastdl.Trainer` needs a single number, so not
        None, which gives one for each class.
    """

    _word = "f1"

    @staticmethod
    def _parts(
        right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return 2 * right, predicted + actual


def averaged(
    parts: tuple[np.ndarray, np.ndarray], actual: np.ndarray, average: str | None
) -> float | np.ndarray:
    """Return ratios (classes,), or one of their averages; 0 / 0 counts as 0.

    Parameters
    ----------
    parts : pair of ndarray, (classes,)
        The numerator and the denominator of each class.
    actual : ndarray, (classes,)
        The number of examples, for "weighted".
    average : {"macro", "micro", "weighted", None}
        The average; None for the ratios themselves.
    """
    numerator, denominator = parts
    if average == "micro":
        return float(divided(numerator.sum(), denominator.sum()))
    each = divided(numerator, denominator)
    if average is None:
        return each
    if average == "weighted":
        return float(divided(each @ actual, actual.sum()))
    return float(each.mean())


def divided(
    numerator: np.ndarray | np.number, denominator: np.ndarray | np.number
) -> np.ndarray:
    """Return numerator / denominator in float64, 0 where both are 0."""
    return np.divide(
        numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0
    )
