"""How a trained classifier did, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastdl import metrics
from fastdl.cli.arguments import describe_shape
from fastdl.datasets.splits import Part
from fastdl.errors import DataError
from fastdl.train import SavedModel
from fastdl.typing import Shape

_MOST_CLASSES = 20  # that fit side by side


class Outcome(NamedTuple):
    """The answers to a labelled data set.

    Attributes
    ----------
    y : ndarray
        The true labels.
    probabilities : ndarray, (m, classes)
        The answers.
    classes : sequence of str
        The name of each class.
    matrix : ndarray of int64, (classes, classes)
        The confusion matrix.
    """

    y: np.ndarray
    probabilities: np.ndarray
    classes: Sequence[str]
    matrix: np.ndarray

    def describe(self) -> str:
        """Return the accuracy and the confusion matrix as lines of text."""
        right, total = int(np.trace(self.matrix)), int(self.matrix.sum())
        return (
            f"accuracy {right / total:.2%} ({right:,} of {total:,} right)\n\n"
            + _confusion(self.matrix, self.classes)
        )


def examine(
    probabilities: np.ndarray, dataset: Part, classes: Sequence[str]
) -> Outcome:
    """Compare the answers of a classifier with the labels of a data set."""
    check_answers(probabilities, classes)
    y = np.asarray(dataset.y)
    matrix = metrics.confusion_matrix(y, probabilities)
    return Outcome(y, probabilities, classes, matrix)


def check_data(
    saved: SavedModel, name: str, classes: Sequence[str], input_shape: Shape
) -> None:
    """Raise DataError unless data have the classes and the pictures of a network."""
    if tuple(input_shape) != saved.input_shape:
        raise DataError(
            f"{name} has pictures of {describe_shape(input_shape)}, but the network "
            f"takes {describe_shape(saved.input_shape)}"
        )
    if tuple(classes) != saved.classes:
        raise DataError(
            f"{name} has the classes {', '.join(classes)}, but the network knows "
            f"{', '.join(saved.classes)}"
        )


def check_answers(probabilities: np.ndarray, classes: Sequence[str]) -> None:
    """Raise DataError unless an answer has a probability for each class."""
    if not np.isfinite(probabilities).all():
        raise DataError("the network gives NaN: its weights, or its inputs, are broken")
    if probabilities.shape[1:] != (len(classes),):
        raise DataError(
            f"the network gives {probabilities.shape[1:]} numbers for an example, but "
            f"there are {len(classes)} classes"
        )


def _confusion(matrix: np.ndarray, classes: Sequence[str]) -> str:
    if len(classes) > _MOST_CLASSES:
        return _most_frequent(matrix, classes)
    if max(map(len, classes)) <= 4:
        rows = columns = list(classes)
    else:  # the columns have no room for names
        columns = [str(label) for label in range(len(classes))]
        rows = [f"{name} {label}" for label, name in enumerate(classes)]
    cells = [[f"{count:,}" if count else "." for count in row] for row in matrix]
    wide = max(len(cell) for row in [columns, *cells] for cell in row) + 2
    margin = max(map(len, rows)) + 2
    lines = [
        "".join([f"{name:>{margin}}", *(f"{cell:>{wide}}" for cell in row)])
        for name, row in zip(["", *rows], [columns, *cells], strict=True)
    ]
    return "\n".join(["confusion matrix (rows: true, columns: predicted)", *lines])


def _most_frequent(matrix: np.ndarray, classes: Sequence[str]) -> str:
    wrong = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:10]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    lines = [
        f"  {classes[true]} taken for {classes[answer]}: {wrong[true, answer]:,}"
        for true, answer in pairs
        if wrong[true, answer]
    ]
    return "\n".join(["most frequent mistakes:", *(lines or ["  none"])])
