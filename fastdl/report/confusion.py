"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdl.errors import DataError, ShapeError
from fastdl.report.style import BLUE, GREY, INK, VERMILION, new_figure
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EMPTY = 0.965  # the grey of a cell without examples
_MOST_NUMBERS = 30  # classes; with more, the numbers in the cells are unreadable


def confusion_matrix(matrix: ArrayLike, classes: Sequence[str]) -> Figure:
    """Draw how often each class was mistaken for each other.

    Right answers are blue, the stronger the larger their share of the true class.
    Mistakes are vermilion, strongest for the most frequent one, however rare it is.

    Parameters
    ----------
    matrix : array_like of int, (classes, classes)
        As `fastdl.metrics.confusion_matrix` returns it: rows are the true classes.
    classes : sequence of str
        The name of each class.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        The matrix is not square, or differs in size from `classes`.
    DataError
        It counts no examples.
    FastdlError
        matplotlib is missing.
    """
    matrix = np.asarray(matrix)
    count = len(classes)
    if matrix.shape != (count, count):
        raise ShapeError(
            f"confusion_matrix: expected a matrix of shape ({count}, {count}) for "
            f"{count} classes, got {matrix.shape}"
        )
    total, right = int(matrix.sum()), int(np.trace(matrix))
    if not total:
        raise DataError("confusion_matrix: the matrix counts no example")
    side = min(max(3.0, 0.55 * count), 12.0)
    longest = max(map(len, classes))
    title = f"Confusion matrix: {right:,} of {total:,} right ({right / total:.1%})"
    with new_figure(side + 0.08 * longest + 1.5, side + 1.3, title) as figure:
        axes = figure.subplots()
        axes.imshow(_colours(matrix))
        axes.set(xlabel="predicted class", ylabel="true class")
        _label(axes, classes)
        if count <= _MOST_NUMBERS:
            _write_numbers(axes, matrix)
    return figure


def _label(axes: Axes, classes: Sequence[str]) -> None:
    ticks = range(0, len(classes), 1 + len(classes) // _MOST_NUMBERS)
    names = [classes[i] for i in ticks]
    axes.set_yticks(ticks, names)
    if max(map(len, names)) > 3:
        axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(ticks, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_numbers(axes: Axes, matrix: np.ndarray) -> None:
    """Write the counts into the cells, and the recalls beside the rows."""
    count = len(matrix)
    lines = np.arange(count + 1) - 0.5  # white, between the cells
    axes.set_xticks(lines, minor=True)
    axes.set_yticks(lines, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)

    rows = np.maximum(matrix.sum(axis=1), 1)
    for row, column in np.argwhere(matrix):
        dark = row == column and matrix[row, column] > 0.6 * rows[row]
        axes.text(
            column,
            row,
            f"{matrix[row, column]:,}",
            ha="center",
            va="center_baseline",
            fontsize=9,
            color="white" if dark else INK,
        )
    right = count - 0.4
    axes.text(right, -0.6, "recall", va="bottom", fontsize=9, color=GREY)
    for row, share in enumerate(np.diag(matrix) / rows):
        text = f"{share:.1%}"
        axes.text(right, row, text, va="center_baseline", fontsize=9, color=GREY)


def _colours(matrix: np.ndarray) -> np.ndarray:
    """Return the colour of each cell, (classes, classes, 3) in [0, 1]."""
    from matplotlib.colors import to_rgb

    right = np.eye(len(matrix), dtype=bool)[..., np.newaxis]
    strength = cell_strength(matrix)[..., np.newaxis] * np.where(right, 1, 0.7)
    hue = np.where(right, to_rgb(BLUE), to_rgb(VERMILION))
    return _EMPTY + strength * (hue - _EMPTY)


def cell_strength(matrix: np.ndarray) -> np.ndarray:
    """Return how strong the colour of each cell is, (classes, classes) in [0, 1].

    Right answers by their share of the true class; mistakes relative to the most
    frequent one, however rare it is.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(matrix), dtype=bool)
    worst = share[~right].max(initial=0) or 1.0
    return np.where(right, share, share / worst)
