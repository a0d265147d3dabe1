"""The pictures that a classifier gets wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdl.data import Dataset
from fastdl.errors import ShapeError
from fastdl.report.style import (
    BLUE,
    GREY,
    VERMILION,
    new_figure,
    pictures_of,
    shortened,
    visible,
)
from fastdl.shapes import check_probabilities
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def mistakes(
    x: ArrayLike | Dataset,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    count: int = 25,
) -> Figure:
    """Show the misclassified pictures, the most confident wrong answers first.

    Parameters
    ----------
    x : array_like, (m, h, w, 1) or (m, h, w, 3)
        The pictures, uint8 or real numbers, which are scaled to [0, 1] if they are
        outside; or a data set of them.
    y_true : array_like of int, (m,)
        The true labels.
    probabilities : array_like, (m, classes)
        The answers, such as ``trainer.predict(x, probabilities=True)``.
    classes : sequence of str
        The name of each class.
    count : int
        The most pictures to show.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        `x` holds no pictures, or the arrays do not fit each other.
    ArgumentError
        Probabilities are outside [0, 1], as logits are.
    FastdlError
        matplotlib is missing.
    """
    dataset = pictures_of(x, "mistakes")
    y_true, probabilities = np.asarray(y_true), np.asarray(probabilities)
    m = len(dataset)
    if y_true.shape != (m,) or probabilities.shape != (m, len(classes)):
        raise ShapeError(
            f"mistakes: for {m} pictures and {len(classes)} classes expected y_true "
            f"({m},) and probabilities ({m}, {len(classes)}), got {y_true.shape} and "
            f"{probabilities.shape}"
        )
    check_probabilities(
        probabilities,
        "mistakes",
        missing=False,
        hint="trainer.predict(x, probabilities=True) returns them",
    )
    y_pred = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(y_pred != y_true)
    surest = wrong[np.argsort(-probabilities[wrong, y_pred[wrong]], kind="stable")]
    shown = surest[:count]
    columns = math.ceil(math.sqrt(len(shown))) or 1
    rows = math.ceil(len(shown) / columns)
    title = f"Mistakes: {len(wrong):,} of {m:,}"
    note = (
        "above: the true class; below: the answer and its probability; surest first"
        if len(shown)
        else "every answer is right"
    )
    names = [shortened(str(each)) for each in classes]
    letters = max(map(len, names)) + len("  100%")
    with new_figure(
        max(5.2, max(1.55, 0.09 * letters) * columns),
        max(1.85 * rows, 0.4) + 1.0,
        title,
    ) as figure:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=9, color=GREY)
        if not rows:
            return figure
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        pictures = visible(dataset.take(shown)[0])
        for axes, picture, index in zip(grid, pictures, shown, strict=False):
            answer = y_pred[index]
            axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axes.set_title(
                names[y_true[index]],
                color=BLUE,
                fontsize=10,
                loc="center",
                pad=3,
            )
            probability = f"{probabilities[index, answer]:.0%}"
            axes.set_xlabel(
                f"{names[answer]}  {probability}",
                color=VERMILION,
                fontsize=10,
                labelpad=3,
            )
    return figure
