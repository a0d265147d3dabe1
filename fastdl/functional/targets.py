"""Targets of the cross-entropies: soft, weighted, checked before the kernels see them.

A weighted loss needs no kernel of its own. The softmax cross-entropy is linear in the
rows of targets, so weights and label smoothing are rows that need not sum to 1. For
yes-or-no questions the weight of an example multiplies its loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastdl import backend, shapes
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError
from fastdl.typing import ArrayLike, DtypeLike, Shape

_ROUNDING = 1e-3  # allowed in the sum of a row of probabilities, as in the metrics


def plain(targets: ArrayLike, operation: str) -> np.ndarray:
    """Return targets as an array; they are data and receive no gradient.

    Those of a tensor are copied, so that a loss need not watch it for changes.
    """
    if not isinstance(targets, Tensor):
        return shapes.array(targets, f"{operation}: targets")
    if targets.requires_grad:
        raise GraphError(
            f"{operation}: no gradient is computed for the labels; use labels.detach()"
        )
    return targets.data.copy()


def ignored_label(ignore_index: int | None, operation: str) -> int | None:
    """Return ignore_index as a Python integer; ArgumentError if it is none."""
    if ignore_index is None:
        return None
    is_integer = isinstance(ignore_index, (int, np.integer))
    if not is_integer or isinstance(ignore_index, bool):
        raise ArgumentError(
            f"{operation}: ignore_index is the integer label of what is left out, got "
            f"{ignore_index!r:.60}"
        )
    return int(ignore_index)


def label_rows(
    labels: np.ndarray,
    logits_shape: Sequence[int],
    ignore_index: int | None,
    operation: str,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return labels as those of rows of logits, and which of them count.

    Parameters
    ----------
    labels
        Integers of the shape of the logits without the classes, or rows of
        probabilities of the shape of the logits.
    logits_shape
        (m, classes), or (n, h, w, classes) for pixels.
    ignore_index
        The label that marks what is left out, if any.
    operation
        The name for the messages.

    Returns
    -------
    labels : numpy.ndarray
        (m,) or (m, classes), m = n h w for pixels; 0 where they do not count.
    counted : numpy.ndarray or None
        (m,), of bool; None if all count.

    Raises
    ------
    ShapeError
        For labels of pixels of another shape; `fastdl.shapes.labels` checks the others,
        and the values.
    DtypeError
        What should be left out are rows of probabilities.
    ArgumentError
        `ignore_index` is no integer.
    """
    ignored = ignored_label(ignore_index, operation)
    *places, classes = logits_shape
    if len(places) > 1:
        m = math.prod(places)
        if labels.shape == (*places, classes):
            labels = labels.reshape(m, classes)
        elif labels.shape == (*places,):
            labels = labels.reshape(m)
        else:
            hint = ""
            if labels.shape == (*logits_shape[:1], *logits_shape[2:]):
                hint = "; the classes are the last axis of the logits (n, h, w, c)"
            raise ShapeError(
                f"{operation}: expected labels of shape {(*places,)} (integers) or "
                f"{(*logits_shape,)} (one-hot), got {labels.shape}{hint}"
            )
    if ignored is None:
        return labels, None
    if labels.ndim > 1 or labels.dtype.kind not in "iu":
        raise DtypeError(
            f"{operation}: ignore_index marks integer labels, got {labels.dtype} of "
            f"shape {labels.shape}; a sample_weight of 0 leaves out others"
        )
    counted = labels != ignored
    if counted.all():
        return labels, None
    return np.where(counted, labels, 0), counted


def check_smoothing(label_smoothing: float, operation: str) -> None:
    """Raise ArgumentError unless label_smoothing lies in [0, 1]."""
    if not shapes.is_share(label_smoothing):
        raise ArgumentError(
            f"{operation}: label_smoothing is the part of the target that is spread "
            f"over all classes, in [0, 1]; got {label_smoothing!r}"
        )


def check_weights(
    values: ArrayLike, dtype: DtypeLike, name: str, operation: str
) -> np.ndarray:
    """Return weights as an array; ArgumentError unless all are finite and >= 0."""
    try:
        array = np.array(values, dtype)  # a copy: no loss watches for changes
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ArgumentError(f"{operation}: each {name} must be a finite number >= 0")
    return array


def check_rows(rows: np.ndarray, operation: str, error: type[Exception]) -> None:
    """Raise unless each row of probabilities sums to 1."""
    sums = rows.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero(np.abs(sums - 1) > _ROUNDING)
    if len(wrong):
        raise error(
            f"{operation}: row {wrong[0]} sums to {sums[wrong[0]]:g}, but the "
            f"probabilities of the classes sum to 1; if an example can have several "
            f"labels or none, use BCEWithLogitsLoss"
        )


def weigh_classes(
    labels: np.ndarray,
    logits: np.ndarray,
    class_weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    label_smoothing: float,
    counted: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    r"""Return what a weighted softmax cross-entropy is computed with.

    Parameters
    ----------
    labels, logits
        (n,) or (n, classes); (n, classes).
    class_weight, sample_weight, label_smoothing
        c, s and epsilon of `fastdl.functional.cross_entropy`.
    counted
        (n,) of bool: the examples that count, by default all.

    Returns
    -------
    rows : numpy.ndarray
        (n, classes): :math:`s c_k ((1 - \epsilon) y_k + \epsilon / K)`.
    total : float
        What a mean divides by: the sum of :math:`s \sum_k c_k y_k`.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        For labels or weights that do not fit the logits.
    """
    operation = "cross_entropy"
    (n, classes), dtype = logits.shape, logits.dtype
    check_smoothing(label_smoothing, operation)
    labels = shapes.labels(labels, n, classes, operation)
    by_class = np.ones(classes, dtype)
    if class_weight is not None:
        by_class = check_weights(class_weight, dtype, "class_weight", operation)
        if by_class.shape != (classes,):
            raise ShapeError(
                f"{operation}: expected one class_weight for each of the {classes} "
                f"classes, got shape {by_class.shape}"
            )
    examples = np.ones(n, dtype) if counted is None else counted.astype(dtype)
    if sample_weight is not None:
        examples = examples * example_weights(sample_weight, (n,), dtype, operation)
    if labels.ndim == 1:
        mass = by_class[labels] * examples
        rows = backend.zeros((n, classes), dtype)
        rows[np.arange(n), labels] = 1 if label_smoothing else mass
        if not label_smoothing:  # that is all, and quick
            return rows, float(mass.sum())
    else:
        rows = labels.astype(dtype)
        mass = examples
        if class_weight is not None:
            mass = (rows * by_class).sum(-1) * examples
    rows *= 1 - label_smoothing
    rows += label_smoothing / classes
    rows *= by_class
    rows *= examples[:, np.newaxis]
    return rows, float(mass.sum())


def example_weights(
    sample_weight: ArrayLike, shape: Shape, dtype: np.dtype, operation: str
) -> np.ndarray:
    """Return one weight for each loss: an array that fits `shape`.

    Parameters
    ----------
    sample_weight
        One weight for each loss, or one for each example, (m,).
    shape
        Of the losses.
    dtype
        Of the losses.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError, ArgumentError
        The weights do not fit, or one is negative or not finite.
    """
    weight = check_weights(sample_weight, dtype, "sample_weight", operation)
    if weight.shape != shape and weight.shape != shape[:1]:
        raise ShapeError(
            f"{operation}: expected one sample_weight for each of the "
            f"{shape[0] if shape else 1} examples, got shape {weight.shape}"
        )
    weight = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    return np.broadcast_to(weight, shape)


def weigh_positive(
    targets: np.ndarray, pos_weight: ArrayLike, operation: str
) -> tuple[np.ndarray, np.ndarray]:
    r"""Fold the weight p of "yes" into targets t and weights of the binary losses.

    .. math::
        -p t \log s - (1 - t) \log (1 - s) = a (-t' \log s - (1 - t') \log (1 - s)),
        \qquad a = p t + 1 - t, \quad t' = p t / a

    Returns
    -------
    targets, weight : numpy.ndarray
        t' and a; a is 0 where the target is missing (NaN).

    Raises
    ------
    ShapeError, ArgumentError
        For a weight that is not > 0, or fits neither one nor all tasks.
    """
    positive = check_weights(pos_weight, targets.dtype, "pos_weight", operation)
    if not positive.all():
        raise ArgumentError(f"{operation}: each pos_weight must be > 0")
    if positive.shape not in ((), targets.shape[-1:]):
        raise ShapeError(
            f"{operation}: expected one pos_weight, or one for each of the tasks along "
            f"the last axis of {targets.shape}; got shape {positive.shape}"
        )
    weight = positive * targets + (1 - targets)
    return positive * targets / weight, np.nan_to_num(weight, copy=False, nan=0.0)
