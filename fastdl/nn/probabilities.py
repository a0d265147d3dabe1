"""Losses of probabilities, for models that end in a softmax or sigmoid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.loss import LabelLoss, Loss
from fastdl.nn.registry import register
from fastdl.typing import ArrayLike, TensorLike


@register
class NLLLoss(LabelLoss):
    """Negative log-likelihood, after a log-softmax; see `functional.nll_loss`.

    `CrossEntropyLoss` is both in one.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the labels become one number.
    class_weight : sequence of float, optional
        One number >= 0 for each class: how much its examples count.
    ignore_index : int, optional
        The integer label of what is left out. By default nothing is; PyTorch's default
        is -100.
    """

    def __init__(
        self,
        reduction: str = "mean",
        class_weight: Sequence[float] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction, class_weight, ignore_index)

    def forward(
        self,
        log_p: TensorLike,
        labels: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Return the loss of log_p (..., classes) with integer labels (...).

        sample_weight, of the shape of the labels or (n,), says how much each counts.
        """
        return F.nll_loss(
            log_p,
            labels,
            self.reduction,
            class_weight=self.class_weight,
            sample_weight=sample_weight,
            ignore_index=self.ignore_index,
        )


@register
class BCELoss(Loss):
    """Binary cross-entropy of probabilities; see `functional.binary_cross_entropy`.

    `BCEWithLogitsLoss`, of what comes before the sigmoid, never loses its gradient.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the elements become one number.
    """

    def forward(
        self,
        probabilities: TensorLike,
        targets: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Compare probabilities with targets in [0, 1] of their shape; NaN is missing.

        sample_weight, of that shape or (n,), says how much each loss counts.
        """
        return F.binary_cross_entropy(
            probabilities, targets, self.reduction, sample_weight=sample_weight
        )

    def _counts(self, y: np.ndarray) -> np.ndarray:
        return ~np.isnan(y)
