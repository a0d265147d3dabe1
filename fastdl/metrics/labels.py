"""The arguments of classification metrics: labels, or rows of scores.

Everywhere, ``y_true`` is a list of labels, integers (m,), or one-hot rows
(m, classes); ``y_pred`` is labels (m,) or rows of scores (m, classes), such as logits
or probabilities, of which the largest wins (the first of equal ones). Nothing
broadcasts: (m,) against (m, 1) is an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.errors import DataError, DtypeError, NonFiniteError, ShapeError


def as_labels(
    y_true: Any, y_pred: Any, classes: int | None = None
) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Return both as labels (m,), and the number of classes where it is known.

    Raises
    ------
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, labels that are not integers or out of range, or NaN
        among the scores.
    """
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
        check_range(true, classes, "y_true")
        check_range(pred, classes, "y_pred")
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


def check_range(labels: np.ndarray, classes: int, name: str) -> None:
    """Raise DataError unless all labels lie in [0, classes)."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise DataError(
            f"{name} has label {wrong[0]}; with {classes} classes labels are "
            f"0 to {classes - 1}"
        )


def weights_of(sample_weight: Any, m: int, operation: str) -> np.ndarray | None:
    """Return the weights of m examples as float64 (m,); None when there are none.

    An example of weight 0 counts as if it were not there.

    Raises
    ------
    ShapeError, DtypeError, DataError
        They are no list of m numbers, or one is negative, NaN or infinite.
    """
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if weight.shape != (m,):
        raise ShapeError(
            f"{operation}: sample_weight needs shape ({m},), got {weight.shape}"
        )
    if weight.dtype.kind not in "biuf":
        raise DtypeError(
            f"{operation}: sample_weight needs numbers, got dtype {weight.dtype}"
        )
    weight = weight.astype(np.float64)
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise DataError(f"{operation}: sample_weight must be finite and not negative")
    return weight
