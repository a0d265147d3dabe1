"""The triplet loss, which learns distances."""

from __future__ import annotations

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.functional.triplet import check_distance
from fastdl.nn.loss import Loss, ones
from fastdl.nn.registry import register
from fastdl.typing import ArrayLike, TensorLike


@register
class TripletMarginLoss(Loss):
    """Anchors nearer to positives than to negatives; `functional.triplet_margin_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the triplets become one number.
    margin : float
        >= 0: by how much they should be nearer.
    p : float
        > 0, of the norm; 2 is the Euclidean distance.
    """

    def __init__(
        self, reduction: str = "mean", margin: float = 1.0, p: float = 2.0
    ) -> None:
        super().__init__(reduction)
        check_distance(margin, p, "TripletMarginLoss")
        self.margin, self.p = margin, p

    def forward(
        self,
        anchor: TensorLike,
        positive: TensorLike,
        negative: TensorLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Return the loss of features (n, features), three for each triplet.

        sample_weight (n,) says how much each triplet counts.
        """
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.reduction,
            margin=self.margin,
            p=self.p,
            sample_weight=sample_weight,
        )

    def _counts(self, y: np.ndarray) -> np.ndarray:
        return ones(y.shape[:1])
