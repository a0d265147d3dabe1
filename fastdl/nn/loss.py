"""Losses as modules: ``loss = criterion(model(x), y)``."""

from __future__ import annotations

from typing import Any

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, suggest
from fastdl.nn.module import Module
from fastdl.nn.registry import register

REDUCTIONS = ("mean", "sum", "none")


class _Loss(Module):
    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in REDUCTIONS:
            raise ArgumentError(
                f"{type(self).__name__}: unknown reduction {reduction!r}"
                f"{suggest(reduction, REDUCTIONS)}"
            )
        self.reduction = reduction


@register
class CrossEntropyLoss(_Loss):
    """Softmax and cross-entropy in one, from logits.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the examples become one number.
    """

    def forward(self, logits: Any, labels: Any) -> Tensor:
        """Return the loss of logits (n, classes).

        Labels are integers (n,), or rows of probabilities (n, classes).
        """
        return F.cross_entropy(logits, labels, reduction=self.reduction)


@register
class BCEWithLogitsLoss(_Loss):
    """Sigmoid and binary cross-entropy in one, from logits.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the elements become one number.
    """

    def forward(self, logits: Any, targets: Any) -> Tensor:
        """Compare logits with targets in [0, 1] of the same shape; NaN is missing."""
        return F.binary_cross_entropy_with_logits(
            logits, targets, reduction=self.reduction
        )


@register
class MSELoss(_Loss):
    """Squared error.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the errors of the elements become one number.
    """

    def forward(self, x: Any, targets: Any) -> Tensor:
        """Compare x with targets of the same shape."""
        return F.mse_loss(x, targets, reduction=self.reduction)
