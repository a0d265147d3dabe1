r"""The Dice loss of segmentation: how little two masks overlap.

With the probabilities p and the targets t of the pixels of an image, for each class:

.. math::
    D = \frac{2 \sum p t + s}{\sum p + \sum t + s}, \qquad
    \frac{\partial D}{\partial p_i} = \frac{2 t_i - D}{\sum p + \sum t + s}

and the loss is 1 - D, averaged over the classes. Small objects count as much as large
ones, whatever share of the picture is background; s > 0 keeps D at 1 where there is
nothing, and nothing is found.

Source: Milletari, Navab, Ahmadi, "V-Net", 2016, with sums in place of the sums of
squares in the divisor.
"""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.functional.elementwise import add_up, empty_like
from fastdl.functional.loss import reduce_losses
from fastdl.functional.targets import example_weights, plain
from fastdl.shapes import check_probabilities, is_positive
from fastdl.shapes import labels as check_labels
from fastdl.typing import ArrayLike, TensorLike


def check_smooth(smooth: float, operation: str) -> None:
    """Raise ArgumentError unless smooth is a finite number > 0."""
    if not is_positive(smooth):
        raise ArgumentError(
            f"{operation}: smooth must be a finite number > 0, got {smooth!r}"
        )


def _dice_loss_backward(node: Node, dy: np.ndarray) -> tuple:
    p, targets, present, dice, divisor, weight = node.arguments
    each = (dy * weight).reshape(-1, *(1,) * (p.ndim - 1)) / p.shape[-1]
    dp = np.subtract(dice, 2 * targets, empty_like(p))
    dp *= each / divisor
    if present is None:
        dx = np.multiply(dp, p, empty_like(p))
        total = np.add.reduce(dx, -1, keepdims=True)
        return (np.subtract(dx, p * total, dx),)
    dp *= present
    return (backend.activation_backward(dp, None, p, "sigmoid"),)


def _pixels(x: np.ndarray) -> np.ndarray:
    """Return the sums over the pixels, (n, 1, ..., c)."""
    sums = backend.empty((len(x), *(1,) * (x.ndim - 2), x.shape[-1]), x.dtype)
    add_up(x, tuple(range(1, x.ndim - 1)), sums, keepdims=True)
    return sums


def dice_loss(
    logits: TensorLike,
    targets: ArrayLike,
    reduction: str = "mean",
    *,
    smooth: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    """Return 1 minus the Dice coefficient of masks, from logits.

    Parameters
    ----------
    logits : Tensor
        (n, ..., c), such as (n, h, w, c).
    targets : array_like
        Either integers (n, ...) in [0, c), the class of each pixel: the softmax over
        the last axis is compared with them, the background being a class like others.
        Or the shape of `logits`, in [0, 1], c questions about each pixel: the sigmoid
        is compared. There NaN marks a missing pixel, which is left out.
    reduction : str
        "mean" over the examples that are not wholly missing, "sum" or "none".
    smooth : float
        s > 0.
    sample_weight : array_like, optional
        (n,), >= 0: how much each example counts. The mean becomes the weighted one.

    Returns
    -------
    Tensor
        One number in [0, 1]; (n,) for "none".

    Raises
    ------
    ShapeError, DtypeError
        For targets or weights that do not fit.
    ArgumentError
        A target, a weight or `smooth` is out of range; `reduction` is unknown.
    GraphError
        The targets need a gradient.
    """
    operation = "dice_loss"
    logits = as_tensor(logits)
    x = logits.data
    check_smooth(smooth, operation)
    masks = plain(targets, operation)
    several = x.ndim > 1 and x.shape[-1] > 1 and masks.shape == x.shape[:-1]
    if x.ndim < 2 or not (several or masks.shape == x.shape):
        hint = "; use targets[..., np.newaxis]" if masks.shape == x.shape[:-1] else ""
        raise ShapeError(
            f"{operation}: expected logits (n, ..., c), and targets of their shape or "
            f"classes (n, ...), got {x.shape} and {masks.shape}{hint}"
        )
    if several:
        rows = check_labels(masks.reshape(-1), masks.size, x.shape[-1], operation)
        p = backend.softmax_forward(x)
        t = backend.zeros(x.shape, x.dtype)
        t.reshape(-1, x.shape[-1])[np.arange(masks.size), rows] = 1
        present = None
        weight = np.ones(len(x), x.dtype)
        found = _pixels(p)
    else:
        if masks.dtype.kind not in "biuf":
            raise DtypeError(
                f"{operation}: expected targets in [0, 1], got {masks.dtype}"
            )
        check_probabilities(masks, operation, missing=True)
        p = backend.activation_forward(x, "sigmoid")
        t = masks.astype(x.dtype)
        present = ~np.isnan(t)
        t[~present] = 0
        weight = present.any(tuple(range(1, x.ndim))).astype(x.dtype)
        found = _pixels(p * present)
    divisor = found + _pixels(t) + smooth
    dice = (2 * _pixels(p * t) + smooth) / divisor
    losses = (1 - dice).reshape(len(x), x.shape[-1]).mean(1)
    if sample_weight is not None:
        weight *= example_weights(sample_weight, (len(x),), x.dtype, operation)
    losses *= weight
    loss, factor = reduce_losses(losses, reduction, float(weight.sum()), operation)
    arguments = (p, t, present, dice, divisor, factor * weight)
    return record(loss, _dice_loss_backward, (logits._node,), (), arguments)
