"""Metrics for examples that may have several labels, or none (S27).

Everywhere, ``y_true`` is rows of 0 and 1, (m, labels), or (m,) for a single label.
``y_pred`` has the same shape. It holds answers, 0 and 1 as integers or bools, or
scores, which mean yes if they reach a threshold: 0 for logits, 0.5 for probabilities,
or one number for each label (`fastdl.metrics.choose_threshold` finds it). A ratio 0 / 0
counts as 0.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.metrics.by_class import check_average
from fastdl.metrics.confusion import F1, Precision, Recall, averaged
from fastdl.metrics.labels import weights_of
from fastdl.metrics.metric import Metric, after_all, check_examples
from fastdl.metrics.scores import as_yes, check_scores
from fastdl.metrics.share import Share
from fastdl.shapes import array
from fastdl.typing import ArrayLike

_AVERAGES = ("macro", "micro", "weighted")


def as_answers(
    y_true: ArrayLike, y_pred: ArrayLike, threshold: ArrayLike | None, operation: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels hold and which are predicted, both bool (m, labels).

    Raises
    ------
    ShapeError, DtypeError, DataError, NonFiniteError, ArgumentError
        For arrays that do not fit, labels other than 0 and 1, NaN among the scores, or
        scores without a threshold.
    """
    true = array(y_true, f"{operation}: y_true")
    pred = array(y_pred, f"{operation}: y_pred")
    if true.shape != pred.shape or true.ndim not in (1, 2):
        raise ShapeError(
            f"{operation}: expected rows (m, labels) of both, got {true.shape} and "
            f"{pred.shape}"
        )
    yes = as_yes(true, f"{operation}: y_true")
    if threshold is not None:
        check_scores(pred, operation)
        if np.ndim(threshold) and np.shape(threshold) != pred.shape[1:]:
            raise ShapeError(
                f"{operation}: expected one threshold, or one for each label, got "
                f"shape {np.shape(threshold)} for {pred.shape[1:]}"
            )
        answers = pred >= threshold
    elif pred.dtype.kind == "f" and pred.size:
        raise DtypeError(
            f"{operation}: y_pred are scores, {pred.dtype}; from which on do they mean "
            f"yes? Give threshold=0 for logits, threshold=0.5 for probabilities"
        )
    else:
        answers = as_yes(pred, f"{operation}: y_pred")
    if yes.ndim == 1:
        yes, answers = yes[:, np.newaxis], answers[:, np.newaxis]
    return yes, answers


class _ByLabel(Metric):
    """Counts by label; exact, unless the examples have weights.

    Parameters
    ----------
    threshold : float or array_like (labels,), optional
        As in `fastdl.metrics.multilabel_precision`.
    """

    _word = ""

    def __init__(self, threshold: ArrayLike | None = None) -> None:
        self.threshold = _checked(threshold, self._word)
        self.reset()

    @property
    def name(self) -> str:
        """Such as "hamming_loss"."""
        return self._word

    def _settings(self) -> tuple:
        return (_comparable(self.threshold),)

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch: rows (b, labels), and weights (b,)."""
        yes, answers = as_answers(y_true, y_pred, self.threshold, self.name)
        weight = weights_of(sample_weight, len(yes), self.name)
        columns = [column.T for column in (yes & answers, answers, yes)]
        if weight is None:
            self._add(len(yes), np.stack([c.sum(axis=1) for c in columns], axis=1))
        else:
            self._add(weight.sum(), np.stack([c @ weight for c in columns], axis=1))

    def merge(self, other: _ByLabel) -> None:
        """Add all the examples that another metric of the same kind has seen."""
        self._check_kind(other)
        if other._counts is not None:
            self._add(other._total, other._counts)

    def reset(self) -> None:
        """Forget everything."""
        self._total: float = 0
        self._counts: np.ndarray | None = None  # (labels, 3): right, predicted, actual

    def _add(self, total: float, counts: np.ndarray) -> None:
        if self._counts is None:
            self._counts = np.zeros((len(counts), 3), np.int64)
        if len(self._counts) != len(counts):
            raise ShapeError(
                f"{self.name}: there were {len(self._counts)} labels, now {len(counts)}"
            )
        self._total += total
        self._counts = self._counts + counts

    def result(self) -> float | np.ndarray:
        """Return the value; DataError without examples."""
        check_examples(self._total, self.name)
        return self._of_counts(*np.asarray(self._counts).T)

    @abstractmethod
    def _of_counts(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> float | np.ndarray:
        """Return the value from counts (labels,)."""


class HammingLoss(_ByLabel):
    """`fastdl.metrics.hamming_loss` over batches."""

    _word = "hamming_loss"

    def _of_counts(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> float:
        wrong = (predicted - right) + (actual - right)
        return float(wrong.sum() / (self._total * len(wrong)))


class _Ratio(_ByLabel):
    """A ratio of counts by label.

    Parameters
    ----------
    average, threshold
        As in `fastdl.metrics.multilabel_precision`.
    """

    @staticmethod
    @abstractmethod
    def _parts(
        right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the numerator and the denominator, as for one label per example."""

    def __init__(
        self, average: str | None = "macro", threshold: ArrayLike | None = None
    ) -> None:
        check_average(average, self._word, _AVERAGES)
        self.average = average
        super().__init__(threshold)

    @property
    def name(self) -> str:
        """Such as "multilabel_f1", or "micro_multilabel_f1" for another average."""
        if self.average in ("macro", None):
            return self._word
        return f"{self.average}_{self._word}"

    def _settings(self) -> tuple:
        return (self.average, *super()._settings())

    def _of_counts(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> float | np.ndarray:
        parts = self._parts(right, predicted, actual)
        return averaged(parts, actual, self.average)


class MultilabelPrecision(_Ratio):
    """`fastdl.metrics.multilabel_precision` over batches; by default the mean."""

    _word = "multilabel_precision"
    _parts = staticmethod(Precision._parts)


class MultilabelRecall(_Ratio):
    """`fastdl.metrics.multilabel_recall` over batches; by default the mean."""

    _word = "multilabel_recall"
    _parts = staticmethod(Recall._parts)


class MultilabelF1(_Ratio):
    """`fastdl.metrics.multilabel_f1` over batches; by default the mean."""

    _word = "multilabel_f1"
    _parts = staticmethod(F1._parts)


class SubsetAccuracy(Share):
    """`fastdl.metrics.subset_accuracy` over batches.

    Parameters
    ----------
    threshold : float or array_like (labels,), optional
        As in `fastdl.metrics.multilabel_precision`.
    """

    name = "subset_accuracy"

    def __init__(self, threshold: ArrayLike | None = None) -> None:
        self.threshold = _checked(threshold, self.name)
        super().__init__()

    def _settings(self) -> tuple:
        return (_comparable(self.threshold),)

    def _counted(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        yes, answers = as_answers(y_true, y_pred, self.threshold, self.name)
        return (yes == answers).all(axis=1)


def multilabel_precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = None,
    threshold: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the share of the answers "yes" that are right, for each label.

    tp / (tp + fp).

    Parameters
    ----------
    y_true, y_pred : array_like, (m, labels)
        Labels, and answers or scores, see `fastdl.metrics.multilabel`; m >= 1.
    average : {None, "macro", "micro", "weighted"}
        None: one value for each label. "macro": their mean. "micro": from the pooled
        counts of all labels. "weighted": their mean weighted by how often each holds.
    threshold : float or array_like (labels,), optional
        The lowest score that means yes. None: y_pred holds answers.
    sample_weight : array_like, (m,), optional
        As in `fastdl.metrics.accuracy`.

    Returns
    -------
    ndarray of float64, (labels,), or float
        In [0, 1].

    Raises
    ------
    ArgumentError
        For an unknown average, or a threshold that is not a number.
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, labels other than 0 and 1, scores without a
        threshold, no example (or none of weight above 0), a negative weight, or NaN.
    """
    metric = MultilabelPrecision(average, threshold)
    return after_all(metric, y_true, y_pred, sample_weight)


def multilabel_recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = None,
    threshold: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the share of the examples of a label that were found, for each label.

    tp / (tp + fn). Parameters, result and errors as in `multilabel_precision`.
    """
    return after_all(
        MultilabelRecall(average, threshold), y_true, y_pred, sample_weight
    )


def multilabel_f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = None,
    threshold: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the harmonic mean of precision and recall, for each label.

    2 tp / (2 tp + fp + fn). Parameters, result and errors as in `multilabel_precision`.
    """
    return after_all(MultilabelF1(average, threshold), y_true, y_pred, sample_weight)


def subset_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    threshold: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the share of examples whose labels are all right, in [0, 1].

    Parameters and errors as in `multilabel_precision`.
    """
    return after_all(SubsetAccuracy(threshold), y_true, y_pred, sample_weight)


def hamming_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    threshold: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the share of all answers that are wrong, in [0, 1].

    Parameters and errors as in `multilabel_precision`.
    """
    return float(after_all(HammingLoss(threshold), y_true, y_pred, sample_weight))


def _comparable(threshold: ArrayLike | None) -> object:
    return None if threshold is None else np.asarray(threshold).tolist()


def _checked(threshold: ArrayLike | None, operation: str) -> ArrayLike | None:
    """Return a threshold; ArgumentError unless it is None or numbers."""
    if threshold is None:
        return None
    numbers = np.asarray(threshold)
    if numbers.dtype.kind not in "iuf" or np.isnan(numbers).any() or numbers.ndim > 1:
        raise ArgumentError(
            f"{operation}: threshold must be a number, or one for each label, got "
            f"{threshold!r:.60}"
        )
    return threshold
