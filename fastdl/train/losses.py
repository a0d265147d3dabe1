"""Losses given as functions of `fastdl.functional`, as modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor

LossLike: TypeAlias = Callable[..., Tensor]
"""A loss: ``(outputs, y)`` or ``(outputs, y, weight)`` to one number."""

_OF_FUNCTION: dict[LossLike, type[nn.Module]] = {
    F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
    F.cross_entropy: nn.CrossEntropyLoss,
    F.dice_loss: nn.DiceLoss,
    F.focal_loss: nn.FocalLoss,
    F.huber_loss: nn.HuberLoss,
    F.kl_div: nn.KLDivLoss,
    F.l1_loss: nn.L1Loss,
    F.mse_loss: nn.MSELoss,
    F.sigmoid_focal_loss: nn.SigmoidFocalLoss,
    F.triplet_margin_loss: nn.TripletMarginLoss,
}


def as_module(loss: LossLike) -> LossLike:
    """Return the module that does the same as a function, or as a partial of one.

    For example ``nn.CrossEntropyLoss(class_weight=[1, 10])`` for
    ``partial(F.cross_entropy, class_weight=[1, 10])``. Any other loss is returned
    unchanged.
    """
    function, options = loss, {}
    if isinstance(loss, partial) and not loss.args:
        function, options = loss.func, loss.keywords
    if not _is_known(function) or "sample_weight" in options:
        return loss
    return _OF_FUNCTION[function](**options)


def _is_known(function: LossLike) -> bool:
    try:
        return function in _OF_FUNCTION
    except TypeError:  # not hashable
        return False
