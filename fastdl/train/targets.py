"""Targets y in the form in which a loss compares them with the outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastdl import functional as F
from fastdl import nn
from fastdl.data import as_float
from fastdl.errors import ArgumentError
from fastdl.shapes import holds_pictures

_OF_NUMBERS = (nn.MSELoss, F.mse_loss)
_OF_LABELS = (
    nn.BCEWithLogitsLoss,
    nn.CrossEntropyLoss,
    F.binary_cross_entropy_with_logits,
    F.cross_entropy,
)


def as_targets(y: np.ndarray, x: np.ndarray, loss: Callable) -> np.ndarray:
    """Return y as the loss takes it.

    Real numbers get the type of x. Pictures of uint8 are scaled to [0, 1], like x, when
    the loss is the squared error and they have the shape of x. Labels and masks stay as
    they are.

    Raises
    ------
    ArgumentError
        y is uint8 and has the shape of pictures x, and the loss is not known: they may
        be pictures as well as masks.
    """
    if y.dtype.kind == "f":
        return y.astype(x.dtype, copy=False)
    if not holds_pictures(y) or _is_one_of(loss, _OF_LABELS):
        return y
    like_x = y.shape == x.shape
    if _is_one_of(loss, _OF_NUMBERS):
        return (as_float(y) if like_x else y).astype(x.dtype, copy=False)
    if like_x:
        raise ArgumentError(
            "the targets y are uint8 of the shape of x: pictures or masks? The loss "
            "does not tell; give fastdl.data.as_float(y) for pictures in [0, 1], or "
            "y.astype(np.float32) for the numbers as they are"
        )
    return y


def _is_one_of(loss: Callable, kinds: tuple) -> bool:
    """Whether a loss is one of these functions, or of these classes."""
    classes = tuple(kind for kind in kinds if isinstance(kind, type))
    return loss in kinds or isinstance(loss, classes)
