"""The Kullback-Leibler divergence of two distributions."""

from __future__ import annotations

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.loss import Loss, ones
from fastdl.nn.registry import register
from fastdl.typing import ArrayLike, TensorLike


@register
class KLDivLoss(Loss):
    """How far a model's probabilities are from others; see `functional.kl_div`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the rows become one number; "mean" is PyTorch's "batchmean".
    """

    def forward(
        self,
        log_p: TensorLike,
        q: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Compare logarithms of probabilities (n, classes) with probabilities q.

        sample_weight (n,) says how much each row counts.
        """
        return F.kl_div(log_p, q, self.reduction, sample_weight=sample_weight)

    def _counts(self, y: np.ndarray) -> np.ndarray:
        return ones(y.shape[:1])
