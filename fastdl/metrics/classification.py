"""Metrics of a classifier from its labels or scores (SPEC S27).

Everywhere, ``y_true`` is a list of labels, integers (m,), or one-hot rows
(m, classes); ``y_pred`` is labels (m,) or rows of scores (m, classes), such as logits
or probabilities, of which the largest wins (the first of equal ones). Nothing
broadcasts: (m,) against (m, 1) is an error.

All but `top_k_accuracy` and `accuracy` derive from the confusion matrix; definitions
as in Manning, Raghavan & Schütze, *Introduction to Information Retrieval*, chapter 8.
Where a ratio is 0 / 0 it counts as 0: the precision of a class that is never
predicted, the recall of a class without examples, the F1 of a class with neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    NonFiniteError,
    ShapeError,
    suggest,
)
from fastdl.shapes import integer

_AVERAGES = ("macro", "micro", "weighted", "binary")


def accuracy(y_true: Any, y_pred: Any) -> float:
    """Return the share of right answers, in [0, 1].

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes), m >= 1.

    Raises
    ------
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, labels that are not integers, no example, or
        NaN among the scores.
    """
    right, total = count_right(y_true, y_pred)
    return right / _examples(total, "accuracy")


def error_rate(y_true: Any, y_pred: Any) -> float:
    """Return the share of wrong answers, 1 - `accuracy`, in [0, 1]."""
    right, total = count_right(y_true, y_pred)
    return (total - right) / _examples(total, "error_rate")


def top_k_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> float:
    """Return the share of examples whose class is among the k highest scores.

    Of equal scores the one of the lower class counts as the higher, so that k = 1
    gives `accuracy`.

    Parameters
    ----------
    y_true : array_like
        Labels (m,) or one-hot rows (m, classes), m >= 1.
    y_pred : array_like, (m, classes)
        Scores.
    k : int
        From 1 to the number of classes.

    Raises
    ------
    ArgumentError
        When k is larger than the number of classes.
    ShapeError, DtypeError, DataError, NonFiniteError
        As `accuracy`.
    """
    scores = np.asarray(y_pred)
    if scores.ndim != 2:
        raise ShapeError(
            "top_k_accuracy: y_pred needs scores (m, classes), got shape "
            f"{scores.shape}"
        )
    labels, _, _ = _labels(y_true, scores)
    _examples(len(labels), "top_k_accuracy")
    classes = scores.shape[1]
    if integer(k, "top_k_accuracy: k") > classes:
        raise ArgumentError(f"top_k_accuracy: k = {k}, but there are {classes} classes")
    own = scores[np.arange(len(labels)), labels][:, np.newaxis]
    earlier = np.arange(classes) < labels[:, np.newaxis]
    above = (scores > own) | ((scores == own) & earlier)
    return float(np.mean(above.sum(axis=1) < k))


def confusion_matrix(
    y_true: Any, y_pred: Any, classes: int | None = None
) -> np.ndarray:
    """Count how often class i was taken for class j.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes). m = 0 is legal when the number of
        classes is known.
    classes : int, optional
        The number of classes; by default the width of the rows when there are
        any, else the largest label + 1.

    Returns
    -------
    ndarray of int64, (classes, classes)
        Row: the true class. Column: the predicted class.

    Raises
    ------
    DataError
        When a label is negative or not below ``classes``.
    ShapeError, DtypeError, NonFiniteError
        As `accuracy`.
    """
    if classes is not None:
        classes = integer(classes, "confusion_matrix: classes")
    true, pred, classes = _labels(y_true, y_pred, classes)
    if classes is None:
        _examples(len(true), "confusion_matrix")
        classes = max(int(true.max()), int(pred.max())) + 1
        _check_range(true, classes, "y_true")  # a negative label
        _check_range(pred, classes, "y_pred")
    counts = np.bincount(true * classes + pred, minlength=classes * classes)
    return counts.reshape(classes, classes)


def precision(y_true: Any, y_pred: Any, average: str | None = None) -> Any:
    """Return the share of right answers among the predictions of a class.

    tp / (tp + fp).

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes), m >= 1.
    average : {None, "macro", "micro", "weighted", "binary"}
        None: one value for each class. "macro": their mean, over the classes that
        occur in y_true or y_pred. "weighted": their mean, weighted by the number
        of examples. "micro": from the counts of all classes together, which with
        one label per example equals the accuracy. "binary": of class 1, when the
        labels are 0 and 1.

    Returns
    -------
    ndarray of float64, (classes,), or float
        In [0, 1]; 0 for a class that is never predicted.

    Raises
    ------
    ArgumentError
        For an unknown average.
    ShapeError, DtypeError, DataError, NonFiniteError
        As `accuracy`.
    """
    return precision_of(_matrix(y_true, y_pred, average, "precision"), average)


def recall(y_true: Any, y_pred: Any, average: str | None = None) -> Any:
    """Return the share of the examples of a class that were found.

    tp / (tp + fn). Parameters, result and errors as `precision`; 0 for a class
    without examples.
    """
    return recall_of(_matrix(y_true, y_pred, average, "recall"), average)


def f1(y_true: Any, y_pred: Any, average: str | None = None) -> Any:
    """Return the harmonic mean of precision and recall.

    2 / (1 / precision + 1 / recall) = 2 tp / (2 tp + fp + fn). Parameters, result
    and errors as `precision`; 0 for a class neither predicted nor present.
    """
    return f1_of(_matrix(y_true, y_pred, average, "f1"), average)


# From a confusion matrix; the streaming metrics use these too -----------------------


def precision_of(matrix: np.ndarray, average: str | None = None) -> Any:
    """Return `precision` from a confusion matrix."""
    return _averaged(matrix, np.diag(matrix), matrix.sum(axis=0), average)


def recall_of(matrix: np.ndarray, average: str | None = None) -> Any:
    """Return `recall` from a confusion matrix."""
    return _averaged(matrix, np.diag(matrix), matrix.sum(axis=1), average)


def f1_of(matrix: np.ndarray, average: str | None = None) -> Any:
    """Return `f1` from a confusion matrix."""
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    return _averaged(matrix, 2 * np.diag(matrix), both, average)


def _averaged(
    matrix: np.ndarray,
    numerator: np.ndarray,
    denominator: np.ndarray,
    average: str | None,
) -> Any:
    if average == "micro":
        return float(numerator.sum() / denominator.sum())
    each = np.zeros(len(matrix))
    np.divide(numerator, denominator, out=each, where=denominator > 0)
    if average is None:
        return each
    if average == "binary":
        return float(each[1])
    support = matrix.sum(axis=1)
    if average == "weighted":
        return float(np.average(each, weights=support))
    occurs = support + matrix.sum(axis=0) > 0
    return float(each[occurs].mean())


def check_average(average: str | None, operation: str) -> None:
    """Raise ArgumentError unless ``average`` is None or one of the known words."""
    if average is not None and average not in _AVERAGES:
        raise ArgumentError(
            f"{operation}: unknown average {average!r}" + suggest(average, _AVERAGES)
        )


def _matrix(y_true: Any, y_pred: Any, average: str | None, operation: str) -> Any:
    check_average(average, operation)
    classes = 2 if average == "binary" else None
    matrix = confusion_matrix(y_true, y_pred, classes)
    _examples(matrix.sum(), operation)
    return matrix


# Arguments ---------------------------------------------------------------------------


def count_right(y_true: Any, y_pred: Any) -> tuple[int, int]:
    """Return the number of right answers and of all."""
    true, pred, _ = _labels(y_true, y_pred)
    return int(np.count_nonzero(true == pred)), len(true)


def _labels(
    y_true: Any, y_pred: Any, classes: int | None = None
) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Return both as labels (m,), and the number of classes where it is known."""
    arrays = {"y_true": np.asarray(y_true), "y_pred": np.asarray(y_pred)}
    labels = [_as_labels(array, name) for name, array in arrays.items()]
    for name, array in arrays.items():
        if array.ndim == 2:
            classes = classes or array.shape[1]
            if array.shape[1] != classes:
                raise ShapeError(
                    f"{name} has rows of {array.shape[1]} classes, expected {classes}"
                )
    true, pred = labels
    if len(true) != len(pred):
        raise ShapeError(f"y_true has {len(true)} examples but y_pred has {len(pred)}")
    if classes is not None:
        _check_range(true, classes, "y_true")
        _check_range(pred, classes, "y_pred")
    return true, pred, classes


def _as_labels(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim == 2:
        _check_scores(array, name)
        if name == "y_true" and not np.allclose(array.sum(axis=1), 1, atol=1e-3):
            raise DataError(
                "y_true has rows that do not sum to 1; give labels (m,) or one-hot "
                "rows (m, classes)"
            )
        return array.argmax(axis=1)
    if array.ndim != 1:
        raise ShapeError(
            f"{name} needs labels (m,) or rows (m, classes), got shape {array.shape}"
        )
    if array.dtype.kind not in "biu" and array.size:  # an empty list is of floats
        raise DtypeError(
            f"{name} needs integer labels, got {array.dtype} of shape {array.shape}; "
            "scores need rows (m, classes)"
        )
    return array.astype(np.int64)


def _check_scores(scores: np.ndarray, name: str) -> None:
    if scores.dtype.kind not in "biuf":
        raise DtypeError(f"{name} needs numbers, got dtype {scores.dtype}")
    if scores.shape[1] < 2:
        raise ShapeError(
            f"{name} has shape {scores.shape}, which is neither labels (m,) nor rows "
            "of scores of two or more classes; from the logits of one unit make "
            "labels with (logits[:, 0] > 0).astype(int)"
        )
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        raise NonFiniteError(f"{name} has NaN among its scores")


def _check_range(labels: np.ndarray, classes: int, name: str) -> None:
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise DataError(
            f"{name} has label {wrong[0]}; with {classes} classes labels are "
            f"0 to {classes - 1}"
        )


def _examples(total: int, operation: str) -> int:
    if total == 0:
        raise DataError(f"{operation}: there are no examples")
    return total
