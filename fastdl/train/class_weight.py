"""How much the examples of each class count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.functional.targets import check_weights
from fastdl.structure import Structure, is_several
from fastdl.train.losses import LossLike

ClassWeights: TypeAlias = Sequence[float] | Mapping[int, float] | str
"""A number >= 0 for each class, by class or in order; or "balanced"."""

_BALANCED = "balanced"
_ELSEWHERE = "weights for other targets belong to the loss"


class ClassWeight:
    """Gives each example the weight of its class.

    Parameters
    ----------
    given : sequence of float, mapping of int to float, or "balanced"
        "balanced" gives all classes of the data the same share, and the examples the
        mean weight 1.
    y : ndarray
        Labels (m,) or (m, 1), or one-hot rows (m, classes), of all training examples.
    loss : callable
        Under a loss of yes-or-no questions, rows would be answers.

    Raises
    ------
    ArgumentError, DataError
        A class has no weight, a weight is negative or not finite, or y are not labels.
    """

    def __init__(self, given: ClassWeights, y: Structure, loss: LossLike) -> None:
        if y is None:
            raise DataError("fit: class_weight needs labels, but the data have none")
        if is_several(y):
            raise ArgumentError(
                "fit: class_weight is for one loss; with several tasks give the loss "
                "of each its own, such as nn.CrossEntropyLoss(class_weight=[1, 5])"
            )
        y = np.asarray(y)
        if _are_rows(y) and getattr(loss, "applies", None) == "sigmoid":
            raise ArgumentError(
                f"fit: class_weight needs one label for each example, got {y.shape[1]} "
                f"yes-or-no questions; give nn.BCEWithLogitsLoss(pos_weight=[...])"
            )
        labels = y.argmax(axis=1) if _are_rows(y) else _labels(y)
        if isinstance(given, str):
            given = _balanced(given, labels)
        elif isinstance(given, Mapping):
            given = _by_class(given, labels)
        self.by_class = check_weights(given, np.float64, "class_weight", "fit")
        if self.by_class.ndim != 1:
            raise ArgumentError(
                f"fit: class_weight must have a number for each class, got {given!r}"
            )
        self._of(labels)

    def __call__(self, y: np.ndarray) -> np.ndarray:
        """Return the weight of each example of a batch, (b,)."""
        if not _are_rows(y):
            return self._of(_labels(y))
        classes = y.shape[1]  # some may not occur
        missing = max(0, classes - len(self.by_class))
        # No product of matrices: its last digit depends on the processor.
        return (y * np.pad(self.by_class, (0, missing))[:classes]).sum(1)

    def _of(self, labels: np.ndarray) -> np.ndarray:
        highest, classes = labels.max(initial=0), len(self.by_class)
        if highest >= classes:
            raise ArgumentError(
                f"fit: class_weight must have a number for each class, but label "
                f"{highest} has none; it has {classes}"
            )
        return self.by_class[labels]


def _are_rows(y: np.ndarray) -> bool:
    return y.ndim == 2 and y.shape[1] > 1


def _labels(y: np.ndarray) -> np.ndarray:
    """Return labels (m,) as integers, whatever their type."""
    if y.shape[1:] not in ((), (1,)):
        raise DataError(
            f"fit: class_weight needs one label for each example, got y of shape "
            f"{y.shape}; {_ELSEWHERE}"
        )
    labels = y.reshape(-1).astype(np.int64)
    if not ((labels == y.reshape(-1)) & (labels >= 0)).all():
        raise DataError(
            f"fit: class_weight needs labels, integers from 0; got {y.dtype} y with "
            f"other values; {_ELSEWHERE}"
        )
    return labels


def _balanced(name: str, labels: np.ndarray) -> list[float]:
    if name != _BALANCED:
        raise ArgumentError(
            f"fit: class_weight is a number for each class, or 'balanced'; got "
            f"{name!r}{suggest(name, [_BALANCED])}"
        )
    counts = np.bincount(labels)
    occurring = np.count_nonzero(counts)
    return (len(labels) / (occurring * np.maximum(counts, 1))).tolist()


def _by_class(given: Mapping[int, float], labels: np.ndarray) -> list[float]:
    """Return the weights in the order of the classes."""
    missing = [label for label in np.unique(labels).tolist() if label not in given]
    if missing:
        raise ArgumentError(
            f"fit: class_weight has nothing for class {missing[0]}, which is among the "
            f"labels; give a number for each class, or 'balanced'. Got {given!r:.60}"
        )
    highest = max(labels.max(initial=0), *given)
    return [given.get(label, 0.0) for label in range(highest + 1)]
