"""Softmax, and the cross-entropies that are computed from logits.

The losses take logits, not probabilities: softmax or sigmoid and logarithm together are
exact for logits of any finite size, and their gradient is simply (yhat - y) / m.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import empty_like
from fastdl.functional.loss import (
    answers,
    reduce_losses,
    reduction_factor,
    spread_loss,
)
from fastdl.functional.shaping import transpose
from fastdl.functional.targets import (
    check_rows,
    check_smoothing,
    example_weights,
    label_rows,
    plain,
    weigh_classes,
    weigh_positive,
)
from fastdl.shapes import check_probabilities, one_axis
from fastdl.typing import ArrayLike, TensorLike


def _along(
    axis: int, rows: Callable[[Tensor], Tensor], x: TensorLike, operation: str
) -> Tensor:
    """Apply what is defined over the last axis along any axis."""
    x = as_tensor(x)
    axis = one_axis(axis, x.data.shape, operation)
    if x.data.shape[axis] == 0:
        raise ShapeError(
            f"{operation}: expected at least one class along axis {axis}, got shape "
            f"{x.data.shape}"
        )
    last = x.data.ndim - 1
    if axis == last:
        return rows(x)
    order = list(range(x.data.ndim))
    order[axis], order[last] = last, axis
    return transpose(rows(transpose(x, order)), order)


def _softmax_backward(node: Node, dy: np.ndarray) -> tuple:
    p = node.result
    dx = np.multiply(dy, p, empty_like(dy))
    total = np.add.reduce(dx, -1, keepdims=True)
    return (np.subtract(dx, p * total, dx),)


def _softmax(x: Tensor) -> Tensor:
    p = backend.softmax_forward(x.data)
    return record(p, _softmax_backward, (x._node,), saves_result=True)


def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Return the softmax along an axis: positive, with sum 1.

    Parameters
    ----------
    x : Tensor or array_like
        By default (..., classes), of any finite size.
    axis : int
        That of the classes. The last is the fastest.

    Returns
    -------
    Tensor
        The shape of `x`, in [0, 1].

    Raises
    ------
    ShapeError
        There is no class, or no such axis.
    """
    return _along(axis, _softmax, x, "softmax")


def _log_softmax_backward(node: Node, dy: np.ndarray) -> tuple:
    total = np.add.reduce(dy, -1, keepdims=True)
    dx = np.exp(node.result, empty_like(dy))
    dx *= total
    return (np.subtract(dy, dx, dx),)


def _log_softmax(x: Tensor) -> Tensor:
    log_p = backend.log_softmax_forward(x.data)
    return record(log_p, _log_softmax_backward, (x._node,), saves_result=True)


def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Return the logarithm of the softmax along an axis. See `softmax`."""
    return _along(axis, _log_softmax, x, "log_softmax")


def _hardmax(x: Tensor) -> Tensor:
    y = backend.zeros(x.data.shape, x.data.dtype)
    np.put_along_axis(y, x.data.argmax(-1)[..., np.newaxis], 1, -1)
    return Tensor(y)


def hardmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Return 1 for the largest (first) element along an axis and 0 for the others.

    It has no useful gradient, so none flows back. See `softmax`.
    """
    return _along(axis, _hardmax, x, "hardmax")


# Losses ------------------------------------------------------------------------------


def _cross_entropy_backward(node: Node, dy: np.ndarray) -> tuple:
    probabilities, labels, counted, factor, shape = node.arguments
    if factor is None:
        dy = dy.reshape(len(labels))
    else:
        dy = np.array(dy.item() * factor, dy.dtype)
    if counted is not None:
        dy = counted * dy
    dx = backend.softmax_cross_entropy_backward(probabilities, labels, dy)
    return (dx if len(shape) == 2 else dx.reshape(shape),)


def cross_entropy(
    logits: TensorLike,
    labels: ArrayLike,
    reduction: str = "mean",
    *,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> Tensor:
    r"""Return the softmax cross-entropy, :math:`-\sum_k y_k \log p_k`, from logits.

    The gradient with respect to the logits is (p - y) / m for "mean". With weights s of
    the examples, c of the classes, and smoothing epsilon of K classes (Szegedy et al.
    2016, "Rethinking the Inception architecture", section 7), the loss of example i is

    .. math::
        L_i = -s_i \sum_k c_k ((1 - \epsilon) y_{ik} + \epsilon / K) \log p_{ik}

    and the mean is :math:`\sum_i L_i / \sum_i s_i \sum_k c_k y_{ik}`, the weighted one.

    Parameters
    ----------
    logits : Tensor
        (m, classes): what comes before the softmax; or (n, h, w, classes), where each
        pixel is an example.
    labels : array_like
        Integers (m,) in [0, classes), or one-hot rows or rows of probabilities
        (m, classes); (n, h, w) or (n, h, w, classes) for pixels.
    reduction : str
        "mean" over the examples, "sum" or "none".
    class_weight : array_like, optional
        (classes,), >= 0: how much the examples of each class count.
    sample_weight : array_like, optional
        (m,), >= 0: how much each example counts; 0 leaves it out. For pixels (n,) or
        (n, h, w).
    label_smoothing : float
        In [0, 1]: the part of y that is spread evenly over all classes.
    ignore_index : int, optional
        The integer label of examples that are left out: their loss and gradient are 0,
        and a mean is that of the others. By default none is; PyTorch's is -100.

    Returns
    -------
    Tensor
        One number in nats; (m,) or (n, h, w) for "none". The mean of an empty batch, or
        where nothing counts, is 0.

    Raises
    ------
    ShapeError, DtypeError
        For logits, labels or weights of another shape, labels of float type.
    ArgumentError
        A label or probability is out of range; a weight is negative or not finite;
        `reduction` is unknown.
    GraphError
        The labels need a gradient.
    """
    operation = "cross_entropy"
    logits = as_tensor(logits)
    rows, shape = logits.data, logits.data.shape
    # Not any number of axes: integers (n, length) may be labels or one-hot rows.
    if len(shape) not in (2, 4):
        raise ShapeError(
            f"{operation}: expected logits of shape (m, classes), or (n, h, w, "
            f"classes) for pixels, got {shape}"
        )
    labels, counted = plain(labels, operation), None
    if len(shape) == 4 or ignore_index is not None:
        labels, counted = label_rows(labels, shape, ignore_index, operation)
    if len(shape) == 4:
        rows = rows.reshape(math.prod(shape[:3]), shape[3])
        if sample_weight is not None:
            weight = example_weights(sample_weight, shape[:3], rows.dtype, operation)
            sample_weight = weight.reshape(len(rows))
    if labels.shape == rows.shape:
        check_probabilities(labels, operation, missing=False)
        check_rows(labels, operation, ArgumentError)
    count = float(len(rows) if counted is None else np.count_nonzero(counted))
    if class_weight is not None or sample_weight is not None or label_smoothing:
        labels, count = weigh_classes(
            labels, rows, class_weight, sample_weight, label_smoothing, counted
        )
        counted = None  # the others have the weight 0
    factor = reduction_factor(reduction, count, operation)
    if counted is None:
        loss, p = backend.softmax_cross_entropy_forward(rows, labels, scale=factor)
    else:
        losses, p = backend.softmax_cross_entropy_forward(rows, labels)
        losses[~counted] = 0
        loss, _ = reduce_losses(losses, reduction, count, operation)
    if factor is None:
        loss = loss.reshape(shape[:-1])
    arguments = (p, labels, counted, factor, shape)
    return record(loss, _cross_entropy_backward, (logits._node,), (), arguments)


def _binary_cross_entropy_with_logits_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (targets, weight, factor) = node.saved, node.arguments
    dloss = spread_loss(dy, factor, x.shape)
    if weight is not None:
        dloss *= weight
    return (backend.sigmoid_cross_entropy_backward(x, targets, dloss),)


def binary_cross_entropy_with_logits(
    logits: TensorLike,
    targets: ArrayLike,
    reduction: str = "mean",
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Return the cross-entropy of yes-or-no questions, from logits.

    It is :math:`-t \log s - (1 - t) \log (1 - s)` with s = sigmoid(logit) and the
    target t; its gradient is (s - t) / m for "mean".

    Parameters
    ----------
    logits : Tensor
        Any shape: (m,) or (m, 1) for logistic regression, (m, tasks) for several.
    targets : array_like
        Exactly the shape of `logits`, in [0, 1]. NaN marks a missing target: its loss
        and its gradient are 0.
    reduction : str
        "mean" over the targets that are not missing (0 when all are), "sum" or "none".
    pos_weight : float or array_like, optional
        > 0, one or (tasks,): multiplies the term :math:`-t \log s`, for a class "yes"
        that is rare. It does not change what a mean divides by.
    sample_weight : array_like, optional
        >= 0, the shape of `logits` or (m,): how much each loss counts. The mean becomes
        the weighted one, :math:`\sum s L / \sum s`.
    label_smoothing : float
        In [0, 1]: epsilon of the smoothed target (1 - epsilon) t + epsilon / 2.

    Returns
    -------
    Tensor
        One number in nats; the shape of `logits` for "none".

    Raises
    ------
    ShapeError
        The shapes differ, even if they could be broadcast.
    ArgumentError
        A target or a weight is out of range; `reduction` is unknown.
    GraphError
        The targets need a gradient.
    """
    operation = "binary_cross_entropy_with_logits"
    logits = as_tensor(logits)
    x = logits.data
    targets = answers(targets, x, operation)
    check_smoothing(label_smoothing, operation)
    missing = np.isnan(targets)
    count: float = targets.size - int(np.count_nonzero(missing))
    weight = None
    if label_smoothing:
        targets = (1 - label_smoothing) * targets + label_smoothing / 2
    if pos_weight is not None:
        targets, weight = weigh_positive(targets, pos_weight, operation)
    if sample_weight is not None:
        examples = example_weights(sample_weight, x.shape, x.dtype, operation)
        count = examples.sum(where=~missing)
        weight = examples if weight is None else weight * examples
    losses = backend.sigmoid_cross_entropy_forward(x, targets)
    if weight is not None:
        losses *= weight
    loss, factor = reduce_losses(losses, reduction, count, operation)
    backward = _binary_cross_entropy_with_logits_backward
    saved, arguments = (x, logits._changed), (targets, weight, factor)
    return record(loss, backward, (logits._node,), saved, arguments)
