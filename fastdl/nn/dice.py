"""The Dice loss of segmentation."""

from __future__ import annotations

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.functional.dice import check_smooth
from fastdl.nn.loss import Loss
from fastdl.nn.registry import register
from fastdl.typing import ArrayLike, TensorLike


@register
class DiceLoss(Loss):
    """How little masks overlap, from logits; see `functional.dice_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the examples become one number.
    smooth : float
        > 0, added to the overlap and to what it is divided by.
    """

    def __init__(self, reduction: str = "mean", smooth: float = 1.0) -> None:
        super().__init__(reduction)
        check_smooth(smooth, "DiceLoss")
        self.smooth = smooth

    def forward(
        self,
        logits: TensorLike,
        targets: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Return the loss of logits (n, ..., c).

        Targets are the classes of the pixels (n, ...), or of the shape of logits and in
        [0, 1] with NaN where a pixel is missing. sample_weight (n,) says how much each
        example counts.
        """
        return F.dice_loss(
            logits,
            targets,
            self.reduction,
            smooth=self.smooth,
            sample_weight=sample_weight,
        )

    def _counts(self, y: np.ndarray) -> np.ndarray:
        """Leave out the examples that are wholly missing."""
        return (~np.isnan(y)).any(tuple(range(1, y.ndim)))
