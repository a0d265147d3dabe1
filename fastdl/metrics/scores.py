"""Scores of yes-or-no answers, all of which are kept.

A metric that depends on the order of the scores needs all of them: no sums of fixed
size would do. An example takes 4 or 8 bytes per score, and 1 per label.

Everywhere, ``y_true`` and ``y_pred`` are one of

- labels 0 or 1, (m,) or (m, 1), with one score each, of the same shape, or with rows
  (m, 2), the probabilities of both classes;
- labels of three or more classes, (m,), with rows (m, classes) of probabilities: each
  class is compared with all others;
- rows of 0 and 1, (m, labels), several of which may be 1, with scores (m, labels).

A higher score means yes. It may be any number, such as a probability or a logit. Scores
in rows of classes are compared between examples, so logits there must be converted to
probabilities: ``logits=True``.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fastdl.errors import DataError, DtypeError, NonFiniteError, ShapeError
from fastdl.metrics.by_class import check_average
from fastdl.metrics.labels import as_labels, weights_of
from fastdl.metrics.metric import Metric, check_examples
from fastdl.shapes import array
from fastdl.typing import ArrayLike

_AVERAGES = ("macro", "micro", "weighted")
_ROUNDING = 1e-2  # of a sum of probabilities, printed or in float16


def as_scores(
    y_true: ArrayLike, y_pred: ArrayLike, operation: str, logits: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return which answers are yes, and their scores, both (m, labels).

    Raises
    ------
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, invalid labels, or NaN among the scores.
    """
    true = array(y_true, f"{operation}: y_true")
    scores = array(y_pred, f"{operation}: y_pred")
    check_scores(scores, operation)
    if true.ndim == 1 and scores.ndim == 2 and scores.shape[1] > 1:
        labels, _, classes = as_labels(true, scores)
        return _of_classes(labels, scores, classes or 0, logits)
    if true.shape != scores.shape or true.ndim not in (1, 2):
        raise ShapeError(
            f"{operation}: expected labels (m,) with scores (m,) or (m, classes), or "
            f"rows (m, labels) of both, got {true.shape} and {scores.shape}"
        )
    yes = as_yes(true, f"{operation}: y_true")
    if yes.ndim == 1:
        return yes[:, np.newaxis], scores[:, np.newaxis]
    return yes, scores


def check_scores(scores: np.ndarray, operation: str) -> None:
    """Raise DtypeError or NonFiniteError unless all scores are numbers."""
    if scores.dtype.kind not in "biuf":
        raise DtypeError(f"{operation}: scores need numbers, got dtype {scores.dtype}")
    if np.isnan(scores).any():
        raise NonFiniteError(f"{operation}: y_pred has NaN among its scores")


def as_yes(labels: np.ndarray, name: str) -> np.ndarray:
    """Return which labels are 1, bool; DataError unless all are 0 or 1."""
    if labels.dtype.kind not in "biuf":
        raise DtypeError(f"{name} needs labels 0 and 1, got dtype {labels.dtype}")
    wrong = (labels != 0) & (labels != 1)
    if wrong.any():
        raise DataError(f"{name} needs labels 0 and 1, got {labels[wrong][0]}")
    return labels == 1


def _of_classes(
    labels: np.ndarray, scores: np.ndarray, classes: int, logits: bool
) -> tuple[np.ndarray, np.ndarray]:
    if logits:
        scores = _logits(scores)
    else:
        _check_sums(scores)
    if classes == 2:  # ordered as the probability, without its rounding
        score = scores[:, 1] - scores[:, 0] if logits else scores[:, 1]
        return (labels == 1)[:, np.newaxis], score[:, np.newaxis]
    yes = labels[:, np.newaxis] == np.arange(classes)
    return yes, softmax(scores) if logits else scores


def _check_sums(scores: np.ndarray) -> None:
    """Raise DataError if rows of classes are no probabilities, which compare."""
    sums = scores.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero(~(np.abs(sums - 1) < _ROUNDING))
    if wrong.size:
        raise DataError(
            f"y_pred has a row of classes that adds up to {sums[wrong[0]]:g}, not 1, "
            f"so it is no probabilities; of logits give logits=True"
        )


def _logits(scores: np.ndarray) -> np.ndarray:
    """Return rows of logits as float64; raise if differences would not be finite."""
    logits = scores.astype(np.float64)
    highest = logits.max(axis=1)
    if not np.isfinite(highest).all():
        raise NonFiniteError(
            f"y_pred has a row of logits whose highest is "
            f"{highest[~np.isfinite(highest)][0]}: these are no probabilities"
        )
    return logits


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities (m, classes) of logits, in float64."""
    logits = _logits(logits)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class Scored(Metric):
    """A metric computed from all scores, for each label by itself.

    Parameters
    ----------
    average : {"macro", "micro", "weighted", None}
        As in `fastdl.metrics.roc_auc`.
    logits : bool
        Whether rows of classes are logits.
    """

    _word = ""

    def __init__(self, average: str | None = "macro", logits: bool = False) -> None:
        check_average(average, self._word, _AVERAGES)
        self.average, self.logits = average, logits
        self.reset()

    @property
    def name(self) -> str:
        """Such as "roc_auc", or "micro_roc_auc" for an average other than "macro"."""
        if self.average in ("macro", None):
            return self._word
        return f"{self.average}_{self._word}"

    def _settings(self) -> tuple:
        return (self.average, self.logits)

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch of b examples, and weights (b,)."""
        yes, scores = as_scores(y_true, y_pred, self.name, self.logits)
        weight = weights_of(sample_weight, len(yes), self.name)
        self._check_width(yes.shape[1])
        if weight is not None:
            counted = weight > 0
            yes, scores, weight = yes[counted], scores[counted], weight[counted]
        # Copies, since a model may write its next outputs into the same array.
        self._kept.append((yes.copy(), scores.copy(), weight))

    def merge(self, other: Scored) -> None:
        """Add all the examples that another metric of the same kind has seen."""
        self._check_kind(other)
        for yes, _, _ in other._kept[:1]:
            self._check_width(yes.shape[1])
        self._kept += other._kept

    def reset(self) -> None:
        """Forget everything."""
        self._kept: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []

    def _check_width(self, labels: int) -> None:
        if self._kept and self._kept[0][0].shape[1] != labels:
            raise ShapeError(
                f"{self.name}: there were {self._kept[0][0].shape[1]} labels, now "
                f"{labels}"
            )

    def result(self) -> float | np.ndarray:
        """Return the value, averaged or by label; DataError without examples.

        NaN if it is undefined for one of the labels.
        """
        check_examples(sum(len(yes) for yes, _, _ in self._kept), self.name)
        yes = np.concatenate([yes for yes, _, _ in self._kept])
        scores = np.concatenate([scores for _, scores, _ in self._kept])
        weight = None
        if any(weight is not None for _, _, weight in self._kept):
            weight = np.concatenate(
                [np.ones(len(y)) if w is None else w for y, _, w in self._kept]
            )
        labels = yes.shape[1]
        if self.average == "micro":
            weight = None if weight is None else weight.repeat(labels)
            return self._value(yes.reshape(-1), scores.reshape(-1), weight)
        columns = zip(yes.T, scores.T, strict=True)
        each = np.array([self._value(*column, weight) for column in columns])
        if labels == 1:
            return float(each[0])
        if self.average is None:
            return each
        if self.average == "macro":
            return float(each.mean())
        positive = yes.sum(axis=0) if weight is None else weight @ yes
        # Labels without weight do not count, even though their value is undefined.
        occurs = positive > 0
        if not occurs.any():
            return float("nan")
        return float(np.average(each[occurs], weights=positive[occurs]))

    @abstractmethod
    def _value(
        self, yes: np.ndarray, scores: np.ndarray, weight: np.ndarray | None
    ) -> float:
        """Return the value of one label, from arrays (m,)."""
