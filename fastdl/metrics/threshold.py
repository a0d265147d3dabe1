"""The threshold from which on a score means yes (S27)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.metrics.ranking import curve_of
from fastdl.typing import ArrayLike


class Threshold(NamedTuple):
    """A decision: yes where ``scores >= threshold``.

    Attributes
    ----------
    threshold : float
        One of the scores it was chosen from.
    precision, recall : float
        On the same examples.
    """

    threshold: float
    precision: float
    recall: float

    def __str__(self) -> str:
        return (
            f"yes from {self.threshold:.6g}: precision {self.precision:.2%}, recall "
            f"{self.recall:.2%}"
        )


def choose_threshold(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    precision: float | None = None,
    recall: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> Threshold:
    """Choose the lowest score that means yes, for a wanted precision or recall.

    Of all thresholds that reach the one, it is the threshold where the other is highest
    (if several are equal, the highest threshold). Use examples of the dev set: a
    threshold looks better on the examples it was chosen on than on new ones.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels 0 and 1 with scores (m,), or rows (m, 2).
    precision, recall : float
        Exactly one of them, in (0, 1].
    sample_weight : array_like, (m,), optional
        As in `fastdl.metrics.accuracy`.

    Raises
    ------
    ArgumentError
        Neither or both are given, or the one is out of range.
    DataError
        No threshold reaches the precision (the message names the best one), or there is
        no example of class 1.
    ShapeError, DtypeError, NonFiniteError
        As in `fastdl.metrics.roc_auc`.
    """
    if (precision is None) == (recall is None):
        raise ArgumentError("choose_threshold: give precision= or recall=, one of them")
    name = "recall" if precision is None else "precision"
    wanted = recall if precision is None else precision
    if not isinstance(wanted, (int, float, np.number)) or not 0 < wanted <= 1:
        raise ArgumentError(
            f"choose_threshold: {name} must be in (0, 1], got {wanted!r}"
        )
    curve = curve_of(y_true, y_pred, sample_weight, "choose_threshold")
    given, other = curve.precision[:-1], curve.recall[:-1]
    if precision is None:
        given, other = other, given
    reached = given >= wanted
    if not reached.any():
        best = np.flatnonzero(given == given.max())[-1]
        raise DataError(
            f"choose_threshold: no threshold has a {name} of {wanted:g}; the best is "
            f"{given[best]:.4g}, from {curve.thresholds[best]:.6g} on"
        )
    best = np.flatnonzero(reached & (other == other[reached].max()))[-1]
    chosen = (curve.thresholds[best], curve.precision[best], curve.recall[best])
    return Threshold(*map(float, chosen))
