"""Metrics of a classifier, from all its labels or scores at once (SPEC S27).

Each is the result of the `fastdl.metrics.Metric` of the same name after a single batch.
`fastdl.metrics.labels` describes the arguments, `fastdl.metrics.confusion` has the
definitions.
"""

from __future__ import annotations

import numpy as np

from fastdl.metrics.confusion import F1, ConfusionMatrix, Precision, Recall
from fastdl.metrics.metric import after_all
from fastdl.metrics.share import Accuracy, ErrorRate, TopKAccuracy
from fastdl.typing import ArrayLike


def accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the share of right answers, in [0, 1].

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes), m >= 1.
    sample_weight : array_like, (m,), optional
        How much each example counts, >= 0; weight 0 is the same as leaving it out.

    Raises
    ------
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, labels that are not integers, no example (or none
        of weight above 0), a negative weight, or NaN among the scores.
    """
    return after_all(Accuracy(), y_true, y_pred, sample_weight)


def error_rate(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the share of wrong answers, 1 - `accuracy`, in [0, 1]."""
    return after_all(ErrorRate(), y_true, y_pred, sample_weight)


def top_k_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    k: int = 5,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the share of examples whose class is among the k highest scores.

    Of equal scores, that of the lower class counts as higher, so k = 1 equals
    `accuracy`.

    Parameters
    ----------
    y_true : array_like
        Labels (m,) or one-hot rows (m, classes), m >= 1.
    y_pred : array_like, (m, classes)
        Scores.
    k : int
        From 1 to the number of classes.
    sample_weight : array_like, (m,), optional
        As in `accuracy`.

    Raises
    ------
    ArgumentError
        When k is larger than the number of classes.
    ShapeError, DtypeError, DataError, NonFiniteError
        As in `accuracy`.
    """
    return after_all(TopKAccuracy(k), y_true, y_pred, sample_weight)


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: int | None = None,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
    """Count how often class i was taken for class j.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes). m = 0 is allowed if the number of classes is
        known.
    classes : int, optional
        The number of classes; by default the width of the rows if there are any, else
        the largest label + 1.
    sample_weight : array_like, (m,), optional
        As in `accuracy`.

    Returns
    -------
    ndarray of int64, (classes, classes)
        Rows: the true class. Columns: the predicted class. With weights, their sums as
        float64.

    Raises
    ------
    DataError
        When a label is negative or not below ``classes``.
    ShapeError, DtypeError, NonFiniteError
        As in `accuracy`.
    """
    return after_all(ConfusionMatrix(classes), y_true, y_pred, sample_weight)


def precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the share of the predictions of a class that are right.

    tp / (tp + fp).

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels (m,) or rows (m, classes), m >= 1.
    average : {None, "macro", "micro", "weighted", "binary"}
        None: one value for each class. "macro": their mean over the classes that occur
        in y_true or y_pred. "weighted": their mean weighted by the number of examples.
        "micro": from the pooled counts of all classes; with one label per example it
        equals the accuracy. "binary": that of class 1, if the labels are 0 and 1.
    sample_weight : array_like, (m,), optional
        As in `accuracy`.

    Returns
    -------
    ndarray of float64, (classes,), or float
        In [0, 1]; 0 for a class that is never predicted.

    Raises
    ------
    ArgumentError
        For an unknown average.
    ShapeError, DtypeError, DataError, NonFiniteError
        As in `accuracy`.
    """
    return after_all(Precision(average), y_true, y_pred, sample_weight)


def recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the share of the examples of a class that were found.

    tp / (tp + fn). Parameters, result and errors as in `precision`; 0 for a class
    without examples.
    """
    return after_all(Recall(average), y_true, y_pred, sample_weight)


def f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the harmonic mean of precision and recall.

    2 / (1 / precision + 1 / recall) = 2 tp / (2 tp + fp + fn). Parameters, result
    and errors as in `precision`; 0 for a class neither predicted nor present.
    """
    return after_all(F1(average), y_true, y_pred, sample_weight)
