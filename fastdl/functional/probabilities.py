r"""Losses from probabilities, for models that end in a softmax or sigmoid.

.. math::
    \text{nll\_loss} = -\log p_{label}, \qquad
    \text{binary\_cross\_entropy} = -t \log p - (1 - t) \log (1 - p)

Prefer `cross_entropy` and `binary_cross_entropy_with_logits`, which take what comes
before: a probability that was rounded to 0 or 1 no longer tells how wrong it is.
"""

from __future__ import annotations

import math

import numpy as np

from fastdl import backend, shapes
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import empty_like
from fastdl.functional.loss import answers, reduce_losses
from fastdl.functional.targets import (
    check_weights,
    example_weights,
    label_rows,
    plain,
)
from fastdl.typing import ArrayLike, TensorLike

_ROUNDING = 1e-3  # by which the logarithm of a probability may exceed 0
_LOWEST_LOG = -100.0  # of a probability 0, so that its loss stays finite
_LOWEST_VARIANCE = 1e-12  # p (1 - p), which the gradient is divided by


def _nll_loss_backward(node: Node, dy: np.ndarray) -> tuple:
    shape, rows, labels, slope = node.arguments
    dx = backend.zeros(shape, dy.dtype)
    dx.reshape(len(rows), shape[-1])[rows, labels] = slope * dy.reshape(-1)
    return (dx,)


def nll_loss(
    log_p: TensorLike,
    labels: ArrayLike,
    reduction: str = "mean",
    *,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    r"""Return the negative log-likelihood of labels, :math:`-s c \log p_{label}`.

    After `log_softmax` it is `cross_entropy`.

    Parameters
    ----------
    log_p : Tensor
        (..., classes): logarithms of probabilities.
    labels : array_like
        Integers (...) in [0, classes).
    reduction : str
        "mean", "sum" or "none". The mean is divided by the sum of the weights s c.
    class_weight : array_like, optional
        c, (classes,), >= 0: how much the examples of each class count.
    sample_weight : array_like, optional
        s, >= 0, of the shape of `labels` or of its first axis: how much each counts.
    ignore_index : int, optional
        The label of what is left out; PyTorch's default is -100.

    Returns
    -------
    Tensor
        One number in nats; the shape of `labels` for "none". It is infinite for an
        example that counts and has probability 0. The mean where nothing counts is 0.

    Raises
    ------
    ShapeError, DtypeError
        For arrays of another shape, labels that are no integers.
    ArgumentError
        A label or a weight is out of range; `reduction` is unknown; `log_p` is above 0
        at a label.
    GraphError
        The labels need a gradient.
    """
    operation = "nll_loss"
    log_p = as_tensor(log_p)
    x = log_p.data
    if x.ndim < 2:
        raise ShapeError(
            f"{operation}: expected logarithms of probabilities (m, classes), got "
            f"{x.shape}"
        )
    *places, classes = x.shape
    m = math.prod(places)
    given, counted = label_rows(
        plain(labels, operation), x.shape, ignore_index, operation
    )
    right = shapes.labels(given, m, classes, operation)
    if right.ndim != 1:
        raise ShapeError(
            f"{operation}: expected integer labels {(*places,)}, got rows of shape "
            f"{x.shape}; use labels.argmax(axis=-1)"
        )
    weight = np.ones(m, x.dtype)
    if class_weight is not None:
        by_class = check_weights(class_weight, x.dtype, "class_weight", operation)
        shapes.check_shape(operation, "class_weight", by_class.shape, (classes,))
        weight *= by_class[right]
    if sample_weight is not None:
        examples = example_weights(sample_weight, (*places,), x.dtype, operation)
        weight *= examples.reshape(m)
    if counted is not None:
        weight *= counted
    rows = np.arange(m)
    chosen = x.reshape(m, classes)[rows, right]
    if (chosen > _ROUNDING).any():
        raise ArgumentError(
            f"{operation}: expected logarithms of probabilities, which are <= 0, got "
            f"{chosen.max():g}; put log_softmax (nn.LogSoftmax) before, or give the "
            f"logits to cross_entropy"
        )
    losses = np.zeros_like(weight)  # 0 log 0 = 0
    np.multiply(chosen, -weight, losses, where=weight != 0)
    count = float(weight.sum(dtype=np.float64))
    loss, factor = reduce_losses(losses.reshape(places), reduction, count, operation)
    arguments = (x.shape, rows, right, weight * -factor)
    return record(loss, _nll_loss_backward, (log_p._node,), (), arguments)


def _binary_cross_entropy_backward(node: Node, dy: np.ndarray) -> tuple:
    p, t, weight, factor = node.arguments
    variance = np.subtract(1, p, empty_like(p))
    variance *= p
    dx = np.subtract(p, t, empty_like(p))
    dx /= np.maximum(variance, _LOWEST_VARIANCE)
    dx *= weight
    dx *= factor * dy
    return (dx,)


def binary_cross_entropy(
    probabilities: TensorLike,
    targets: ArrayLike,
    reduction: str = "mean",
    *,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    r"""Return the cross-entropy of yes-or-no questions, from probabilities.

    A logarithm below -100 is taken as -100, and p (1 - p) in the gradient
    (p - t) / (p (1 - p)) as 1e-12 at least, as in PyTorch: a loss and a gradient are
    finite at p = 0 and p = 1.

    Parameters
    ----------
    probabilities : Tensor
        p of any shape, in [0, 1].
    targets : array_like
        t, exactly the shape of `probabilities`, in [0, 1]. NaN marks a missing target:
        its loss and its gradient are 0.
    reduction : str
        "mean" over the targets that are not missing (0 when all are), "sum" or "none".
    sample_weight : array_like, optional
        >= 0, the shape of `probabilities` or (m,): how much each loss counts. The mean
        becomes the weighted one.

    Returns
    -------
    Tensor
        One number in nats; the shape of `probabilities` for "none".

    Raises
    ------
    ShapeError
        The shapes differ, even if they could be broadcast.
    ArgumentError
        A probability, a target or a weight is out of range; `reduction` is unknown.
    GraphError
        The targets need a gradient.
    """
    operation = "binary_cross_entropy"
    probabilities = as_tensor(probabilities)
    p = probabilities.data
    hint = "binary_cross_entropy_with_logits takes logits"
    shapes.check_probabilities(p, operation, missing=True, hint=hint)
    t = answers(targets, p, operation)
    weight = (~np.isnan(t)).astype(p.dtype)
    t = np.where(weight, t, 0).astype(p.dtype, copy=False)
    if sample_weight is not None:
        weight *= example_weights(sample_weight, p.shape, p.dtype, operation)
    count = float(weight.sum(dtype=np.float64))
    p = np.clip(p, 0, 1)  # softmax may round above 1
    with np.errstate(divide="ignore"):
        yes, no = np.log(p), np.log1p(-p)
    losses = np.maximum(yes, _LOWEST_LOG) * -t
    losses -= np.maximum(no, _LOWEST_LOG) * (1 - t)
    losses *= weight
    loss, factor = reduce_losses(losses, reduction, count, operation)
    arguments = (p, t, weight, factor)
    inputs = (probabilities._node,)
    return record(loss, _binary_cross_entropy_backward, inputs, (), arguments)
