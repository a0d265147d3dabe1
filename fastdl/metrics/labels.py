"""The arguments of classification metrics: labels, or rows of scores.

Everywhere, ``y_true`` is integer labels (m,) or one-hot rows (m, classes); ``y_pred``
is labels (m,) or rows of scores (m, classes), such as logits or probabilities, where
the largest wins (the first, if several are equal). Of pixels they are (m, h, w) and
(m, h, w, classes), and each pixel counts as an example. Nothing broadcasts: (m,)
against (m, 1) is an error.
"""

from __future__ import annotations

import numpy as np

from fastdl.errors import DataError, DtypeError, NonFiniteError, ShapeError
from fastdl.shapes import array
from fastdl.typing import ArrayLike

_NUMBER = (
    "number text labels with classes, y_true = np.unique(y_true, return_inverse=True) "
    "and y_pred = np.searchsorted(classes, y_pred)"
)
_LIGHTEST = 1e-100  # the smallest weight of an example, besides 0


def as_labels(
    y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None
) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Return both as labels (m,), and the number of classes if it is known.

    Raises
    ------
    ShapeError, DtypeError, DataError, NonFiniteError
        For arrays that do not fit, labels that are not integers or are out of range, or
        NaN among the scores.
    """
    given = {"y_true": y_true, "y_pred": y_pred}
    arrays = _of_pixels({name: array(each, name) for name, each in given.items()})
    labels = [_as_labels(each, name) for name, each in arrays.items()]
    for name, each in arrays.items():
        if each.ndim == 2:
            classes = classes or each.shape[1]
            if each.shape[1] != classes:
                raise ShapeError(
                    f"{name} has rows of {each.shape[1]} classes, expected {classes}"
                )
    true, pred = labels
    if len(true) != len(pred):
        raise ShapeError(f"y_true has {len(true)} examples but y_pred has {len(pred)}")
    if classes is not None:
        check_range(true, classes, "y_true")
        check_range(pred, classes, "y_pred")
    return true, pred, classes


def _of_pixels(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return labels (m, h, w) as (m h w,), and rows (m, h, w, classes) likewise."""
    places = {each.shape[:3] for each in arrays.values()}
    if len(places) > 1 or any(each.ndim not in (3, 4) for each in arrays.values()):
        return arrays
    return {name: each.reshape(-1, *each.shape[3:]) for name, each in arrays.items()}


def _as_labels(labels: np.ndarray, name: str) -> np.ndarray:
    if labels.ndim == 2:
        _check_scores(labels, name)
        if name == "y_true" and not np.allclose(labels.sum(axis=1), 1, atol=1e-3):
            raise DataError(
                "y_true has rows that do not sum to 1; give labels (m,) or one-hot "
                "rows (m, classes)"
            )
        return labels.argmax(axis=1)
    if labels.ndim != 1:
        raise ShapeError(
            f"{name} needs labels (m,) or rows (m, classes), got shape {labels.shape}"
        )
    if labels.dtype.kind not in "biu" and labels.size:  # an empty list becomes floats
        raise DtypeError(
            f"{name} needs integer labels, got {labels.dtype} of shape {labels.shape}; "
            + ("scores need rows (m, classes)" if labels.dtype.kind == "f" else _NUMBER)
        )
    if labels.dtype == np.uint64 and labels.size and labels.max() >= 2**63:
        raise DataError(f"{name} has label {labels.max()}, which is above 2^63 - 1")
    return labels.astype(np.int64)


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


def weights_of(
    sample_weight: ArrayLike | None, m: int, operation: str
) -> np.ndarray | None:
    """Return the weights of m examples as float64 (m,); None if there are none.

    An example of weight 0 counts as if it were not there.

    Raises
    ------
    ShapeError, DtypeError, DataError
        They are not m numbers, or one is negative, NaN, infinite, or so large or small
        that sums might overflow or vanish.
    """
    if sample_weight is None:
        return None
    weight = array(sample_weight, f"{operation}: sample_weight")
    if weight.shape != (m,):
        raise ShapeError(
            f"{operation}: sample_weight needs shape ({m},), got {weight.shape}"
        )
    if weight.dtype.kind not in "biuf":
        raise DtypeError(
            f"{operation}: sample_weight needs numbers, got dtype {weight.dtype}"
        )
    weight = weight.astype(np.float64)
    # Within bounds, so that products of their sums neither overflow nor vanish.
    fits = (weight == 0) | ((weight >= _LIGHTEST) & (weight <= 1 / _LIGHTEST))
    if not fits.all():
        raise DataError(
            f"{operation}: sample_weight must be finite and not negative, 0 or from "
            f"{_LIGHTEST:g} to {1 / _LIGHTEST:g}; got {weight[~fits][0]:g}"
        )
    return weight
