"""Losses given as functions of `fastdl.functional`, as modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, suggest

LossLike: TypeAlias = Callable[..., Tensor]
"""A loss: ``(outputs, y)`` or ``(outputs, y, weight)`` to one number."""

LossChoice: TypeAlias = str | LossLike | type[nn.Module]
"""A loss, its class or its name."""

TaskWeights: TypeAlias = Mapping[str, float] | str
"""How much each task counts; "uncertainty" learns it, see `fastdl.nn.MultiTaskLoss`."""

_OF_FUNCTION: dict[LossLike, type[nn.Module]] = {
    F.binary_cross_entropy: nn.BCELoss,
    F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
    F.cross_entropy: nn.CrossEntropyLoss,
    F.dice_loss: nn.DiceLoss,
    F.focal_loss: nn.FocalLoss,
    F.huber_loss: nn.HuberLoss,
    F.kl_div: nn.KLDivLoss,
    F.l1_loss: nn.L1Loss,
    F.mse_loss: nn.MSELoss,
    F.nll_loss: nn.NLLLoss,
    F.sigmoid_focal_loss: nn.SigmoidFocalLoss,
    F.triplet_margin_loss: nn.TripletMarginLoss,
}
_BY_NAME: dict[str, type[nn.Module]] = {
    **{function.__name__: module for function, module in _OF_FUNCTION.items()},
    "mse": nn.MSELoss,
    "mean_squared_error": nn.MSELoss,
    "mae": nn.L1Loss,
    "mean_absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
    "bce": nn.BCELoss,
    "bce_with_logits": nn.BCEWithLogitsLoss,
    "binary_crossentropy": nn.BCELoss,
    # Of logits: fit warns of a model that ends with a softmax.
    "categorical_crossentropy": nn.CrossEntropyLoss,
    "sparse_categorical_crossentropy": nn.CrossEntropyLoss,
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


def one_loss(
    loss: LossChoice | Mapping[str, LossChoice] | None, weights: TaskWeights | None
) -> LossLike:
    """Return the loss of a trainer: a dict becomes that of several tasks.

    Raises
    ------
    ArgumentError
        A name is unknown, or there are weights, but no tasks to weigh.
    """
    if isinstance(loss, Mapping):
        modules = {task: as_module(_made(each)) for task, each in loss.items()}
        return nn.MultiTaskLoss(modules, weights)
    if weights is not None:
        raise ArgumentError(
            "Trainer: loss_weights are for a dict of losses, one for each task"
        )
    return nn.CrossEntropyLoss() if loss is None else _made(loss)


def _made(loss: LossChoice) -> LossLike:
    """Return a loss that is given by its name or class."""
    if isinstance(loss, str):
        if loss not in _BY_NAME:
            raise ArgumentError(
                f"Trainer: unknown loss {loss!r}{suggest(loss, _BY_NAME, 'nn')}"
            )
        loss = _BY_NAME[loss]
    if isinstance(loss, type) and issubclass(loss, nn.Module) and loss._is_loss:
        return loss()
    return loss  # type: ignore[return-value] # any other class is refused later


def tasks_of(loss: LossLike) -> Mapping[str, LossLike]:
    """Return the losses of the tasks; nothing if there is only one."""
    return loss.losses if isinstance(loss, nn.MultiTaskLoss) else {}


def _is_known(function: LossLike) -> bool:
    try:
        return function in _OF_FUNCTION
    except TypeError:  # not hashable
        return False
