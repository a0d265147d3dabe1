r"""Focal losses: cross-entropies in which what is learned already counts less.

With p the probability that the model gives to the right answer, and q = 1 - p:

.. math::
    L = -\alpha \, q^\gamma \log p, \qquad
    \frac{dL}{d \log p} = -\alpha \, q^\gamma (1 - \gamma \, p \, \log(p) / q)

For rare classes: thousands of easy examples, each with a small loss, would drown the
few hard ones. Everything is computed from logits of any finite size.

Source: Lin, Goyal, Girshick, He, Dollár, "Focal loss for dense object detection", 2017.
"""

from __future__ import annotations

import math

import numpy as np

from fastdl import backend, shapes
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.functional.elementwise import empty_like
from fastdl.functional.loss import check_targets, reduce_losses
from fastdl.functional.targets import check_weights, example_weights, plain
from fastdl.typing import ArrayLike, TensorLike


def check_gamma(gamma: float, operation: str) -> None:
    """Raise ArgumentError unless gamma is a finite number >= 0."""
    if not shapes.is_in(gamma, math.inf):
        raise ArgumentError(
            f"{operation}: gamma must be a finite number >= 0, got {gamma!r}"
        )


def check_share_of_yes(alpha: float | None, operation: str) -> None:
    """Raise ArgumentError unless alpha is None or lies in [0, 1]."""
    if alpha is not None and not shapes.is_share(alpha):
        raise ArgumentError(
            f"{operation}: alpha is the weight of the answer 1, that of 0 being "
            f"1 - alpha; expected a number in [0, 1] or None, got {alpha!r}"
        )


def _focal_loss_backward(node: Node, dy: np.ndarray) -> tuple:
    probabilities, rows, slope, factor = node.arguments
    dx = probabilities * (-factor * dy * slope)[:, np.newaxis]
    dx[np.arange(len(rows)), rows] += factor * dy * slope
    return (dx.astype(probabilities.dtype, copy=False),)


def focal_loss(
    logits: TensorLike,
    labels: ArrayLike,
    reduction: str = "mean",
    *,
    gamma: float = 2.0,
    alpha: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    """Return the focal loss of classes, from logits.

    Parameters
    ----------
    logits : Tensor
        (m, classes): what comes before the softmax.
    labels : array_like
        Integers (m,) in [0, classes).
    reduction : str
        "mean" over the examples, "sum" or "none".
    gamma : float
        >= 0: how much less easy examples count; 0 is the cross-entropy.
    alpha : array_like, optional
        (classes,), >= 0: how much the examples of each class count. It does not change
        what a mean divides by.
    sample_weight : array_like, optional
        (m,), >= 0: how much each example counts. The mean becomes the weighted one.

    Returns
    -------
    Tensor
        One number in nats; (m,) for "none".

    Raises
    ------
    ShapeError, DtypeError
        For logits, labels or weights of another shape, labels that are no integers.
    ArgumentError
        A label, weight or `gamma` is out of range; `reduction` is unknown.
    GraphError
        The labels need a gradient.
    """
    operation = "focal_loss"
    logits = as_tensor(logits)
    x = logits.data
    check_gamma(gamma, operation)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ShapeError(
            f"{operation}: expected logits of shape (m, classes), got {x.shape}"
        )
    m, classes = x.shape
    rows = shapes.labels(plain(labels, operation), m, classes, operation)
    if rows.ndim != 1:
        raise ShapeError(
            f"{operation}: expected integer labels (m,), got rows of shape {rows.shape}"
            f"; use labels.argmax(axis=1)"
        )
    places = np.arange(m)
    log_p = backend.log_softmax_forward(x)
    log_right = log_p[places, rows]
    wrong = -np.expm1(log_right)  # q, without the cancellation of 1 - p
    weight = np.ones(m, x.dtype)
    if alpha is not None:
        by_class = check_weights(alpha, x.dtype, "alpha", operation)
        shapes.check_shape(operation, "alpha", by_class.shape, (classes,))
        weight = by_class[rows]
    count = float(m)
    if sample_weight is not None:
        examples = example_weights(sample_weight, (m,), x.dtype, operation)
        weight, count = weight * examples, float(examples.sum())
    scale = weight * wrong**gamma
    loss, factor = reduce_losses(-scale * log_right, reduction, count, operation)
    ratio = np.full_like(wrong, -1)  # log(p) / q, with its limit at q = 0
    np.divide(log_right, wrong, ratio, where=wrong != 0)
    slope = -scale * (1 - gamma * np.exp(log_right) * ratio)
    arguments = (np.exp(log_p, log_p), rows, slope, factor)
    return record(loss, _focal_loss_backward, (logits._node,), (), arguments)


def _sigmoid_focal_loss_backward(node: Node, dy: np.ndarray) -> tuple:
    slope, factor = node.arguments
    return (np.multiply(slope, factor * dy, empty_like(slope)),)


def sigmoid_focal_loss(
    logits: TensorLike,
    targets: ArrayLike,
    reduction: str = "mean",
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    """Return the focal loss of yes-or-no questions, from logits.

    The name and the default values are torchvision's; its default reduction is "none".

    Parameters
    ----------
    logits : Tensor
        Any shape.
    targets : array_like
        Exactly the shape of `logits`: 0 or 1. NaN marks a missing target: its loss and
        its gradient are 0.
    reduction : str
        "mean" over the targets that are not missing (0 when all are), "sum" or "none".
    gamma : float
        >= 0: how much less easy questions count; 0 is the cross-entropy.
    alpha : float, optional
        In [0, 1]: the weight where the target is 1; 1 - alpha is that where it is 0.
        None leaves both at 1.
    sample_weight : array_like, optional
        >= 0, the shape of `logits` or (m,): how much each loss counts. The mean becomes
        the weighted one.

    Returns
    -------
    Tensor
        One number in nats; the shape of `logits` for "none".

    Raises
    ------
    ShapeError, DtypeError
        The shapes differ, even if they could be broadcast; targets are no numbers.
    ArgumentError
        A target, a weight, `gamma` or `alpha` is out of range; `reduction` is unknown.
    GraphError
        The targets need a gradient.
    """
    operation = "sigmoid_focal_loss"
    logits = as_tensor(logits)
    x = logits.data
    check_gamma(gamma, operation)
    check_share_of_yes(alpha, operation)
    answers = plain(targets, operation)
    if answers.dtype.kind not in "biuf":
        raise DtypeError(f"{operation}: expected targets 0 or 1, got {answers.dtype}")
    answers = answers.astype(x.dtype, copy=False)
    check_targets(operation, answers.shape, x.shape)
    missing = np.isnan(answers)
    yes = answers == 1
    if not (yes | (answers == 0) | missing).all():
        raise ArgumentError(
            f"{operation}: expected targets 0, 1 or NaN (missing); soft targets are "
            f"for binary_cross_entropy_with_logits"
        )
    weight = (~missing).astype(x.dtype)
    count: float = float(weight.sum(dtype=np.float64))
    if alpha is not None:
        weight *= np.where(yes, alpha, 1 - alpha).astype(x.dtype)
    if sample_weight is not None:
        examples = example_weights(sample_weight, x.shape, x.dtype, operation)
        count = float(examples.sum(where=~missing))
        weight *= examples
    sign = np.where(yes, 1, -1).astype(x.dtype)
    z = np.where(missing, 0, x * sign)  # the logit of the right answer
    log_right = -backend.activation_forward(-z, "softplus")
    wrong = backend.activation_forward(-z, "sigmoid")
    weight *= wrong**gamma
    loss, factor = reduce_losses(-weight * log_right, reduction, count, operation)
    slope = -weight * (wrong - gamma * np.exp(log_right) * log_right) * sign
    arguments = (slope, factor)
    return record(loss, _sigmoid_focal_loss_backward, (logits._node,), (), arguments)
