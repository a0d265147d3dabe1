"""Cohen's kappa: how far two sets of labels agree beyond chance (S27)."""

from __future__ import annotations

import math

import numpy as np

from fastdl.errors import ArgumentError, suggest
from fastdl.metrics.by_class import ByPair
from fastdl.metrics.metric import after_all, check_examples
from fastdl.typing import ArrayLike

_WEIGHTS = ("linear", "quadratic")


class CohenKappa(ByPair):
    """`fastdl.metrics.cohen_kappa` over batches; exact, since it keeps counts.

    Parameters
    ----------
    weights : {None, "linear", "quadratic"}
        As in `fastdl.metrics.cohen_kappa`.
    """

    def __init__(self, weights: str | None = None) -> None:
        if weights is not None and weights not in _WEIGHTS:
            raise ArgumentError(
                f"cohen_kappa: unknown weights {weights!r}"
                f"{suggest(str(weights), _WEIGHTS)}"
            )
        self.weights = weights
        super().__init__()

    @property
    def name(self) -> str:
        """Such as "cohen_kappa" or "quadratic_cohen_kappa"."""
        return f"{self.weights}_cohen_kappa" if self.weights else "cohen_kappa"

    def _settings(self) -> tuple:
        return (self.weights,)

    def result(self) -> float:
        """Return kappa; NaN if it is undefined; DataError without examples."""
        counts = self._counts
        check_examples(counts.sum(), self.name)
        label = np.arange(self._size, dtype=np.float64)
        apart = np.abs(label[:, np.newaxis] - label)
        if self.weights is None:
            apart = np.minimum(apart, 1)
        elif self.weights == "quadratic":
            apart = apart**2
        # A sum of non-negative terms: 0 only if each of them is.
        by_chance = counts.sum(axis=1) @ apart @ counts.sum(axis=0) / counts.sum()
        if by_chance == 0:
            return math.nan
        return float(1 - np.sum(apart * counts) / by_chance)


def cohen_kappa(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    weights: str | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Return how far labels agree beyond chance.

    .. math:: \kappa = 1 - \frac{\sum_{ij} d_{ij} n_{ij}}{\sum_{ij} d_{ij} e_{ij}}

    with :math:`n_{ij}` the confusion matrix, :math:`e_{ij}` what it would be if both
    were independent, and :math:`d_{ij}` how bad it is to take i for j. 1 is perfect
    agreement, 0 is chance, and less than 0 is worse than chance. If both always give
    one and the same label it is undefined: NaN.

    Source: Cohen (1960, "A coefficient of agreement for nominal scales"), and for
    weights Cohen (1968, "Weighted kappa").

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes), m >= 1.
    weights : {None, "linear", "quadratic"}
        None: all mistakes are equally bad. "linear", "quadratic": as bad as \|i - j\|
        or its square, for labels that are grades. The distance is between the labels
        themselves, so a grade that is never given counts too.
    sample_weight : array_like, (m,), optional
        As in `fastdl.metrics.accuracy`.

    Raises
    ------
    ArgumentError
        The weights are unknown.
    ShapeError, DtypeError, DataError, NonFiniteError
        As in `fastdl.metrics.accuracy`.
    """
    return after_all(CohenKappa(weights), y_true, y_pred, sample_weight)
