"""How well scores separate yes from no, over all thresholds (S27).

The ROC curve, precision against recall, and the areas under them. Examples with equal
scores are on the same side of any threshold. See `fastdl.metrics.scores` for the
arguments.

Sources: Fawcett (2006, "An introduction to ROC analysis"); Manning, Raghavan & Schütze,
*Introduction to Information Retrieval*, chapter 8, for average precision.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastdl.errors import DataError, ShapeError
from fastdl.metrics.labels import weights_of
from fastdl.metrics.metric import after_all
from fastdl.metrics.scores import Scored, as_scores
from fastdl.typing import ArrayLike


class RocCurve(NamedTuple):
    """What a threshold lets through; arrays (points,), from (0, 0) to (1, 1).

    Attributes
    ----------
    false_positive_rate, true_positive_rate : ndarray of float64
        Of the examples whose score is at least the threshold.
    thresholds : ndarray of float64
        Infinity, then each distinct score, falling.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    thresholds: np.ndarray

    @property
    def area(self) -> float:
        """The area under the curve, equal to `roc_auc`."""
        wide = np.diff(self.false_positive_rate)
        high = self.true_positive_rate[1:] + self.true_positive_rate[:-1]
        return float(wide @ high / 2)


class PrecisionRecallCurve(NamedTuple):
    """Precision and recall by threshold.

    Attributes
    ----------
    precision, recall : ndarray of float64, (thresholds + 1,)
        Of the examples whose score is at least the threshold; finally 1 and 0, for a
        threshold above all scores.
    thresholds : ndarray of float64, (thresholds,)
        Each distinct score, rising.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray


class RocAuc(Scored):
    """`fastdl.metrics.roc_auc` over batches; keeps all scores.

    Parameters
    ----------
    average : {"macro", "micro", "weighted", None}
        As in `fastdl.metrics.roc_auc`.
    logits : bool
        Whether rows of classes are logits, as models return them, or probabilities.
    """

    _word = "roc_auc"

    def _value(
        self, yes: np.ndarray, scores: np.ndarray, weight: np.ndarray | None
    ) -> float:
        true, false, _ = _let_through(yes, scores, weight)
        if not (true[-1] and false[-1]):
            return math.nan
        wide = np.diff(false, prepend=0)
        high = true + np.concatenate([[0], true[:-1]])  # twice the mean height
        return float(wide @ high / (2 * true[-1] * false[-1]))


class AveragePrecision(Scored):
    """`fastdl.metrics.average_precision` over batches; keeps all scores.

    Parameters
    ----------
    average : {"macro", "micro", "weighted", None}
        As in `fastdl.metrics.roc_auc`.
    logits : bool
        Whether rows of classes are logits, as models return them, or probabilities.
    """

    _word = "average_precision"

    def _value(
        self, yes: np.ndarray, scores: np.ndarray, weight: np.ndarray | None
    ) -> float:
        true, false, _ = _let_through(yes, scores, weight)
        if not true[-1]:
            return math.nan
        return float(np.diff(true, prepend=0) @ (true / (true + false)) / true[-1])


def roc_auc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = "macro",
    logits: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the area under the ROC curve, in [0, 1].

    It is the probability that a positive example has a higher score than a negative
    one; equal scores count half. 0.5 is chance.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels and scores, see `fastdl.metrics.scores`; m >= 1.
    average : {"macro", "micro", "weighted", None}
        With several labels or classes: the mean of their values; the value for all
        answers pooled; the mean weighted by how often each label holds; or, for None,
        one value for each.
    logits : bool
        Whether rows of classes are logits.
    sample_weight : array_like, (m,), optional
        As in `fastdl.metrics.accuracy`.

    Returns
    -------
    float, or ndarray of float64 (labels,)
        NaN for a label without positive or without negative examples; then a macro
        average is NaN too.

    Raises
    ------
    ArgumentError
        For an unknown average.
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, labels other than 0 and 1, no example (or none of
        weight above 0), a negative weight, or NaN among the scores.
    """
    return after_all(RocAuc(average, logits), y_true, y_pred, sample_weight)


def average_precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = "macro",
    logits: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the mean of the precision at each positive example, in [0, 1].

    It is the precision at each threshold weighted by the gain in recall: the area under
    the steps of precision against recall, without interpolation. NaN without positive
    examples. Parameters, result and errors as in `roc_auc`.
    """
    return after_all(AveragePrecision(average, logits), y_true, y_pred, sample_weight)


def roc_curve(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> RocCurve:
    """Return the rates of true and false positives at all thresholds.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels 0 and 1, both of which occur, with scores (m,) or rows (m, 2).
    sample_weight : array_like, (m,), optional
        As in `fastdl.metrics.accuracy`.

    Raises
    ------
    DataError
        There is only one class, so there is no curve.
    ShapeError, DtypeError, NonFiniteError
        As in `roc_auc`.
    """
    true, false, thresholds = _of_one(y_true, y_pred, sample_weight, "roc_curve")
    if not (true[-1] and false[-1]):
        raise DataError("roc_curve: needs examples of both classes, there is one")
    return RocCurve(
        np.concatenate([[0], false / false[-1]]),
        np.concatenate([[0], true / true[-1]]),
        np.concatenate([[math.inf], thresholds]),
    )


def precision_recall_curve(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> PrecisionRecallCurve:
    """Return precision and recall at all thresholds.

    Parameters as in `roc_curve`.

    Raises
    ------
    DataError
        There is no example of class 1, so recall is undefined.
    ShapeError, DtypeError, NonFiniteError
        As in `roc_auc`.
    """
    return curve_of(y_true, y_pred, sample_weight, "precision_recall_curve")


def curve_of(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    operation: str,
) -> PrecisionRecallCurve:
    """Return the curve of precision and recall; errors name the operation."""
    true, false, thresholds = _of_one(y_true, y_pred, sample_weight, operation)
    if not true[-1]:
        raise DataError(f"{operation}: needs examples of class 1, there is none")
    return PrecisionRecallCurve(
        np.concatenate([(true / (true + false))[::-1], [1]]),
        np.concatenate([(true / true[-1])[::-1], [0]]),
        thresholds[::-1],
    )


def _of_one(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    operation: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `_let_through` returns, for the only label there is."""
    yes, scores = as_scores(y_true, y_pred, operation)
    if yes.shape[1] != 1:
        raise ShapeError(
            f"{operation}: needs labels 0 and 1, there are {yes.shape[1]}; give one "
            f"column, such as (y == 3).astype(int) with scores[:, 3]"
        )
    weight = weights_of(sample_weight, len(yes), operation)
    if weight is not None:
        counted = weight > 0
        yes, scores, weight = yes[counted], scores[counted], weight[counted]
    if not len(yes):
        raise DataError(f"{operation}: no examples, or none of a weight above 0")
    return _let_through(yes[:, 0], scores[:, 0], weight)


def _let_through(
    yes: np.ndarray, scores: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the positive and negative examples with at least each score, falling.

    Returns
    -------
    true, false, thresholds : ndarray, (distinct scores,)
        Weights are summed in a fixed order, whatever the order of the examples.
    """
    scores = scores.astype(np.float64)
    if weight is None:
        order = np.argsort(-scores)
        true = np.cumsum(yes[order])
        false = np.arange(1, len(yes) + 1) - true
    else:
        order = np.lexsort((weight, yes, -scores))
        true = np.cumsum(np.where(yes, weight, 0)[order])
        false = np.cumsum(np.where(yes, 0, weight)[order])
    scores = scores[order]
    last = np.append(scores[1:] != scores[:-1], True)  # of each run of equal scores
    return true[last], false[last], scores[last]
