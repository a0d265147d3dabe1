"""The decision boundary of a classifier of two features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn import Module
from fastdl.report.style import GREY, INK, PALETTE, new_figure
from fastdl.train import Trainer
from fastdl.typing import ArrayLike, TensorLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Classifier = Module | Callable[[np.ndarray], TensorLike]

_MARKERS = "os^DvP"  # one for each colour, for readers who cannot tell colours apart
_POINTS = 240  # of the grid, along each side


def decision_boundary(
    classifier: Classifier | Mapping[str, Classifier],
    x: ArrayLike,
    y: ArrayLike,
    classes: Sequence[str] | None = None,
) -> Figure:
    """Colour the plane by what a classifier answers, and draw the data in it.

    Parameters
    ----------
    classifier : Module, callable, or dict of str to them
        A model, or a function such as ``trainer.predict``. For points (n, 2) of the
        dtype of `x` it returns scores (n, classes), logits (n, 1) or (n,) of class 1
        against class 0, or integer labels (n,). For several by name there is a panel
        for each.
    x : array_like, (m, 2)
        The points, m >= 1.
    y : array_like of int, (m,)
        Their classes, from 0 to at most 5.
    classes : sequence of str, optional
        The name of each class, for a legend.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        The points do not have two features, the labels do not fit them, or the answers
        of the classifier have another shape.
    ArgumentError
        There are more than six classes, or `classes` has too few names.
    FastdlError
        matplotlib is missing.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        raise ShapeError(
            f"decision_boundary: expected points x of shape (m, 2), got {x.shape}"
        )
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0:
        raise ShapeError(
            f"decision_boundary: expected y to be {len(x)} integer labels, got shape "
            f"{y.shape} of {y.dtype}"
        )
    count = max(int(y.max()) + 1, 2)
    if count > len(PALETTE):
        raise ArgumentError(
            f"decision_boundary: at most {len(PALETTE)} classes can be told apart, got "
            f"{count}"
        )
    if classes is not None and len(classes) < count:
        raise ArgumentError(
            f"decision_boundary: {count} classes need as many names, got {len(classes)}"
        )
    panels = classifier if isinstance(classifier, Mapping) else {"": classifier}
    with new_figure(4 * len(panels) + 0.4, 4, "Decision boundary") as figure:
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, each) in zip(grid, panels.items(), strict=True):
            _regions(axes, each, x)
            for label in range(count):
                axes.scatter(
                    *x[y == label].T,
                    s=16,
                    marker=_MARKERS[label],
                    color=PALETTE[label],
                    edgecolors="white",
                    linewidths=0.4,
                    label=None if classes is None else classes[label],
                )
            axes.set_title(name)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
        if classes is not None:
            grid[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _regions(axes: Axes, classifier: Classifier, x: np.ndarray) -> None:
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1)
    sides = np.linspace(low - margin, high + margin, _POINTS).T
    across, up = np.meshgrid(*sides)
    kind = x.dtype if x.dtype.kind == "f" else np.float32
    plane = np.stack([across.ravel(), up.ravel()], axis=1).astype(kind)
    scores = _scores(classifier, plane)
    for label, colour in enumerate(PALETTE[: scores.shape[1]]):
        others = np.delete(scores, label, axis=1).max(axis=1)
        ahead = (scores[:, label] - others).reshape(across.shape)
        if ahead.max() >= 0:
            levels = [0, max(float(ahead.max()), 1e-12)]
            axes.contourf(across, up, ahead, levels, colors=[colour], alpha=0.2)
        if ahead.min() < 0 < ahead.max():
            axes.contour(across, up, ahead, [0], colors=[INK], linewidths=0.8)
    axes.set(xlim=sides[0, [0, -1]], ylim=sides[1, [0, -1]])
    axes.tick_params(labelcolor=GREY)


def _scores(classifier: Classifier, plane: np.ndarray) -> np.ndarray:
    """Return scores (n, classes), classes >= 2, from any output of a classifier."""
    if isinstance(classifier, Module):
        classifier = Trainer(classifier).predict
    if not callable(classifier):
        raise ArgumentError(
            f"decision_boundary: classifier must be a Module or a function, got "
            f"{classifier!r:.60}"
        )
    answers = np.asarray(classifier(plane))
    if answers.shape == (len(plane),) and answers.dtype.kind in "iu":
        return np.eye(max(int(answers.max()) + 1, 2))[answers]
    if answers.size == len(plane):
        logits = answers.reshape(-1).astype(np.float64)
        return np.stack([-logits, logits], axis=1)
    if answers.ndim != 2 or len(answers) != len(plane):
        raise ShapeError(
            f"decision_boundary: for {len(plane)} points the classifier gave shape "
            f"{answers.shape}; expected ({len(plane)}, classes) or ({len(plane)},)"
        )
    return answers.astype(np.float64)
