"""Shares of examples: right ones, wrong ones, those among the best k."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fastdl.errors import ArgumentError, ShapeError
from fastdl.metrics.labels import as_labels, weights_of
from fastdl.metrics.metric import Metric, check_examples
from fastdl.shapes import array, integer
from fastdl.typing import ArrayLike


class Share(Metric):
    """The share of the examples that count; exact, since it keeps two integers.

    If the examples have weights it keeps their sums instead.
    """

    def __init__(self) -> None:
        self.reset()

    @abstractmethod
    def _counted(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        """Return which examples of a batch count, bool (b,)."""

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch: labels (b,) or rows (b, classes), and weights (b,).

        An empty batch adds nothing.
        """
        counted = self._counted(y_true, y_pred)
        weight = weights_of(sample_weight, len(counted), self.name)
        if weight is None:
            self._count += int(np.count_nonzero(counted))
            self._total += len(counted)
        else:
            self._count += float(weight[counted].sum())
            self._total += float(weight.sum())

    def merge(self, other: Share) -> None:
        """Add all the examples that another metric of the same kind has seen."""
        self._check_kind(other)
        self._count += other._count
        self._total += other._total

    def result(self) -> float:
        """Return the share, in [0, 1]; DataError before the first example."""
        check_examples(self._total, self.name)
        return self._count / self._total

    def reset(self) -> None:
        """Forget everything."""
        self._count: float = 0
        self._total: float = 0


class Accuracy(Share):
    """The share of right answers: `fastdl.metrics.accuracy` over batches."""

    name = "accuracy"

    def _counted(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        true, pred, _ = as_labels(y_true, y_pred)
        return true == pred


class ErrorRate(Share):
    """The share of wrong answers: `fastdl.metrics.error_rate` over batches."""

    name = "error_rate"

    def _counted(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        true, pred, _ = as_labels(y_true, y_pred)
        return true != pred


class TopKAccuracy(Share):
    """`fastdl.metrics.top_k_accuracy` over batches.

    Parameters
    ----------
    k : int
        From 1 to the number of classes.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = integer(k, "top_k_accuracy: k")
        super().__init__()

    @property
    def name(self) -> str:
        """Such as "top_5_accuracy"."""
        return f"top_{self.k}_accuracy"

    def _settings(self) -> tuple:
        return (self.k,)

    def _counted(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        scores = array(y_pred, f"{self.name}: y_pred")
        if scores.ndim != 2:
            raise ShapeError(
                "top_k_accuracy: y_pred needs scores (m, classes), got shape "
                f"{scores.shape}"
            )
        labels, _, _ = as_labels(y_true, scores)
        classes = scores.shape[1]
        if self.k > classes:
            raise ArgumentError(
                f"top_k_accuracy: k = {self.k}, but there are {classes} classes"
            )
        own = scores[np.arange(len(labels)), labels][:, np.newaxis]
        earlier = np.arange(classes) < labels[:, np.newaxis]
        above = (scores > own) | ((scores == own) & earlier)
        return above.sum(axis=1) < self.k
