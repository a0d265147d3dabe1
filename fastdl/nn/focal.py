"""Focal losses, for rare classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.functional.focal import check_gamma, check_share_of_yes
from fastdl.nn.loss import Loss, numbers
from fastdl.nn.registry import register
from fastdl.typing import ArrayLike, TensorLike


@register
class FocalLoss(Loss):
    """The focal loss of classes, from logits; see `functional.focal_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the examples become one number.
    gamma : float
        >= 0: how much less easy examples count; 0 is the cross-entropy.
    alpha : sequence of float, optional
        One number >= 0 for each class: how much its examples count.
    """

    applies = "softmax"

    def __init__(
        self,
        reduction: str = "mean",
        gamma: float = 2.0,
        alpha: Sequence[float] | None = None,
    ) -> None:
        super().__init__(reduction)
        check_gamma(gamma, "FocalLoss")
        self.gamma = gamma
        self.alpha = numbers(alpha, "FocalLoss: alpha")

    def forward(
        self,
        logits: TensorLike,
        labels: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Return the loss of logits (n, classes) with integer labels (n,).

        sample_weight (n,) says how much each example counts.
        """
        return F.focal_loss(
            logits,
            labels,
            self.reduction,
            gamma=self.gamma,
            alpha=self.alpha,
            sample_weight=sample_weight,
        )


@register
class SigmoidFocalLoss(Loss):
    """The focal loss of yes-or-no questions; see `functional.sigmoid_focal_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the elements become one number.
    gamma : float
        >= 0: how much less easy questions count; 0 is the cross-entropy.
    alpha : float, optional
        In [0, 1]: the weight where the target is 1; 1 - alpha is that where it is 0.
    """

    applies = "sigmoid"

    def __init__(
        self,
        reduction: str = "mean",
        gamma: float = 2.0,
        alpha: float | None = 0.25,
    ) -> None:
        super().__init__(reduction)
        check_gamma(gamma, "SigmoidFocalLoss")
        check_share_of_yes(alpha, "SigmoidFocalLoss")
        self.gamma, self.alpha = gamma, alpha

    def forward(
        self,
        logits: TensorLike,
        targets: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Compare logits with targets 0 or 1 of the same shape; NaN is missing.

        sample_weight, of the shape of logits or (n,), says how much each loss counts.
        """
        return F.sigmoid_focal_loss(
            logits,
            targets,
            self.reduction,
            gamma=self.gamma,
            alpha=self.alpha,
            sample_weight=sample_weight,
        )

    def _counts(self, y: np.ndarray) -> np.ndarray:
        return ~np.isnan(y)
