"""Calibration: whether a model is right as often as it claims to be (S27).

Source: Guo, Pleiss, Sun & Weinberger (2017, "On Calibration of Modern Neural
Networks").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.metrics.labels import as_labels, weights_of
from fastdl.metrics.metric import Metric, after_all, check_examples
from fastdl.metrics.scores import as_scores, check_scores, softmax
from fastdl.shapes import array, integer
from fastdl.typing import ArrayLike

_EQUAL = ("width", "count")
_MOST_BINS = 2**16
_ROUNDING = 1e-6  # by which a probability computed in float32 may exceed 1


class CalibrationCurve(NamedTuple):
    """How often a model was right, by how confident it was.

    Attributes
    ----------
    confidence, accuracy : ndarray of float64, (bins,)
        The mean probability, and the share of answers that were right. NaN in an empty
        bin.
    examples : ndarray of float64, (bins,)
        The number of answers in each bin, or the sum of their weights.
    edges : ndarray of float64, (bins + 1,)
        A bin holds the probabilities above its lower edge and up to its upper edge; the
        first bin includes both.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    examples: np.ndarray
    edges: np.ndarray

    @property
    def error(self) -> float:
        """The mean distance between confidence and accuracy over all answers."""
        some = self.examples > 0
        apart = np.abs(self.confidence - self.accuracy)[some]
        return float(np.average(apart, weights=self.examples[some]))


class CalibrationError(Metric):
    """`fastdl.metrics.calibration_error` over batches.

    With bins of equal width it keeps three numbers per bin; with bins of equal count,
    whose edges depend on all the answers, it keeps the probabilities.

    Parameters
    ----------
    bins, equal, logits
        As in `fastdl.metrics.calibration_error`.
    """

    name = "calibration_error"

    def __init__(
        self, bins: int = 15, equal: str = "width", logits: bool = False
    ) -> None:
        self.bins = integer(bins, f"{self.name}: bins")
        if self.bins > _MOST_BINS:
            raise ArgumentError(
                f"{self.name}: at most {_MOST_BINS:,} bins, got {self.bins:,}"
            )
        if equal not in _EQUAL:
            raise ArgumentError(
                f"{self.name}: bins can be equal in 'width' or in 'count', got "
                f"{equal!r}{suggest(str(equal), _EQUAL)}"
            )
        self.equal, self.logits = equal, logits
        self.reset()

    def _settings(self) -> tuple:
        return (self.bins, self.equal, self.logits)

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch of b answers, and weights (b,)."""
        confidence, right = _answers(y_true, y_pred, self.logits)
        examples = len(confidence)
        weight = weights_of(sample_weight, examples, self.name)
        weight = np.ones(examples) if weight is None else weight
        weight = weight.repeat(confidence.shape[1])
        counted = weight > 0
        columns = (confidence.reshape(-1), right.reshape(-1), weight)
        batch = np.stack([column[counted] for column in columns])
        if self.equal == "width":
            self._sums += _binned(batch, np.linspace(0, 1, self.bins + 1))
        else:
            self._kept.append(batch)

    def merge(self, other: CalibrationError) -> None:
        """Add all the answers that another metric of the same kind has seen."""
        self._check_kind(other)
        self._sums += other._sums
        self._kept += other._kept

    def curve(self) -> CalibrationCurve:
        """Return the data for a reliability diagram; DataError without examples."""
        edges, sums = np.linspace(0, 1, self.bins + 1), self._sums
        if self.equal == "count" and self._kept:
            everything = np.concatenate(self._kept, axis=1)
            if everything.size:
                edges = np.percentile(everything[0], 100 * edges)
            sums = _binned(everything, edges)
        check_examples(sums[2].sum(), self.name)
        shares = np.full((2, self.bins), np.nan)
        np.divide(sums[:2], sums[2], out=shares, where=sums[2] > 0)
        return CalibrationCurve(shares[0], shares[1], sums[2].copy(), edges)

    def result(self) -> float:
        """Return the error, in [0, 1]; DataError without examples."""
        return self.curve().error

    def reset(self) -> None:
        """Forget everything."""
        self._sums = np.zeros((3, self.bins))
        self._kept: list[np.ndarray] = []  # each (3, answers)


def calibration_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    bins: int = 15,
    equal: str = "width",
    logits: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Return the expected calibration error: how far confidence is from accuracy.

    .. math:: \sum_b \frac{n_b}{n} \left|\text{accuracy}_b - \text{confidence}_b\right|

    It is 0 if, of all answers given with probability p, a share of p is right.

    Parameters
    ----------
    y_true : array_like
        Labels (m,); or 0 and 1 of the shape of y_pred.
    y_pred : array_like
        Rows of probabilities (m, classes): the confidence is that of the answer, which
        is right or not. Or the shape of y_true: the confidence is the probability of 1,
        compared with how often it is 1; a row (m, labels) is as many answers.
    bins : int
        Into how many groups the answers are sorted by confidence.
    equal : {"width", "count"}
        Bins of equal width in [0, 1], or with equal numbers of answers (as far as
        possible, since equal probabilities stay together).
    logits : bool
        Whether y_pred is logits: softmax is applied to rows of classes, else sigmoid.
    sample_weight : array_like, (m,), optional
        As in `fastdl.metrics.accuracy`; bins of equal count ignore the weights.

    Raises
    ------
    DataError
        y_pred is not probabilities; or there is no example, or none of weight above 0.
    ShapeError, DtypeError, NonFiniteError, ArgumentError
        For arrays that do not fit, NaN, bins < 1, or an unknown `equal`.
    """
    metric = CalibrationError(bins, equal, logits)
    return after_all(metric, y_true, y_pred, sample_weight)


def calibration_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    bins: int = 15,
    equal: str = "width",
    logits: bool = False,
    sample_weight: ArrayLike | None = None,
) -> CalibrationCurve:
    """Return how often answers were right, by how confident they were.

    Parameters and errors as in `calibration_error`;
    `fastdl.report.reliability_diagram` draws it.
    """
    metric = CalibrationError(bins, equal, logits)
    metric.update(y_true, y_pred, sample_weight)
    return metric.curve()


def _answers(
    y_true: ArrayLike, y_pred: ArrayLike, logits: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return confidences, and whether the answers are right, both (m, answers)."""
    name = CalibrationError.name
    true, scores = array(y_true, f"{name}: y_true"), array(y_pred, f"{name}: y_pred")
    check_scores(scores, name)
    of_classes = true.ndim == 1 and scores.ndim == 2 and scores.shape[1] > 1
    if of_classes:
        labels, answers, _ = as_labels(true, scores)
        probabilities = softmax(scores) if logits else _checked(scores)
        if not logits and not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
            raise DataError(
                f"{name}: y_pred has rows that do not sum to 1; give probabilities, or "
                f"logits with logits=True"
            )
        return probabilities.max(axis=1)[:, np.newaxis], (labels == answers)[:, None]
    yes, scores = as_scores(true, scores, name)
    return (_sigmoid(scores) if logits else _checked(scores)), yes


def _checked(scores: np.ndarray) -> np.ndarray:
    """Return probabilities as float64; DataError unless they are in [0, 1]."""
    wrong = (scores < -_ROUNDING) | (scores > 1 + _ROUNDING)
    if wrong.any():
        raise DataError(
            f"{CalibrationError.name}: y_pred needs probabilities in [0, 1], got "
            f"{scores[wrong][0]:g}; for logits say logits=True"
        )
    return np.clip(scores.astype(np.float64), 0, 1)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(logits.astype(np.float64) / 2)


def _binned(answers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sum (3, answers) into (3, bins): weighted confidence, weighted right, weight."""
    confidence, right, weight = answers
    bins = np.searchsorted(edges[1:-1], confidence)
    columns = (weight * confidence, weight * right, weight)
    return np.stack([np.bincount(bins, column, len(edges) - 1) for column in columns])
