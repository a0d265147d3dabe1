"""Metrics gathered batch by batch: ``update``, ``result``, ``reset``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.errors import DataError, ShapeError
from fastdl.metrics import classification
from fastdl.shapes import integer


class Mean:
    """The mean over all examples of a value known per batch, such as the loss."""

    def __init__(self) -> None:
        self.reset()

    def update(self, value: float, count: float = 1) -> None:
        """Add the mean ``value`` of ``count`` examples, or of such a weight."""
        self._sum += float(value) * count
        self._count += count

    def result(self) -> float:
        """Return the mean; DataError before the first example."""
        if self._count == 0:
            raise DataError("Mean: no examples yet")
        return self._sum / self._count

    def reset(self) -> None:
        """Forget all."""
        self._sum = self._count = 0.0


class Accuracy:
    """`fastdl.metrics.accuracy` over batches. An empty batch changes nothing."""

    def __init__(self) -> None:
        self.reset()

    def update(self, y_true: Any, y_pred: Any) -> None:
        """Add a batch: labels (b,) or rows (b, classes)."""
        right, total = classification.count_right(y_true, y_pred)
        self._right += right
        self._total += total

    def result(self) -> float:
        """Return the share of right answers; DataError before the first example."""
        if self._total == 0:
            raise DataError("Accuracy: no examples yet")
        return self._right / self._total

    def reset(self) -> None:
        """Forget all."""
        self._right = 0
        self._total = 0


class ConfusionMatrix:
    """`fastdl.metrics.confusion_matrix` over batches, with what derives from it.

    Parameters
    ----------
    classes : int
        The number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.classes = integer(classes, "ConfusionMatrix: classes")
        self.reset()

    def update(self, y_true: Any, y_pred: Any) -> None:
        """Add a batch: labels (b,) or rows (b, classes)."""
        self._matrix += classification.confusion_matrix(y_true, y_pred, self.classes)

    def result(self) -> np.ndarray:
        """Return the counts so far, int64 (classes, classes), rows the true class."""
        return self._matrix.copy()

    def reset(self) -> None:
        """Forget all."""
        self._matrix = np.zeros((self.classes, self.classes), np.int64)

    def accuracy(self) -> float:
        """Return the share of right answers."""
        return float(np.trace(self._counted("accuracy")) / self._matrix.sum())

    def precision(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.precision`, per class or averaged."""
        return classification.precision_of(self._counted("precision", average), average)

    def recall(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.recall`, per class or averaged."""
        return classification.recall_of(self._counted("recall", average), average)

    def f1(self, average: str | None = None) -> Any:
        """Return `fastdl.metrics.f1`, per class or averaged."""
        return classification.f1_of(self._counted("f1", average), average)

    def _counted(self, operation: str, average: str | None = None) -> np.ndarray:
        classification.check_average(average, operation)
        if average == "binary" and self.classes != 2:
            raise ShapeError(
                f"{operation}: average='binary' needs 2 classes, there are "
                f"{self.classes}; use 'macro', 'micro' or 'weighted'"
            )
        if not self._matrix.any():
            raise DataError(f"{operation}: no examples yet")
        return self._matrix
