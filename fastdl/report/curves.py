"""Learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl.errors import DataError
from fastdl.report.style import BLUE, GREY, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdl.train import History

_DOTS = 30  # epochs; with more, a mark at each is clutter


def learning_curves(history: History) -> Figure:
    """Draw the loss and each metric over the epochs, training beside validation.

    Parameters
    ----------
    history : History
        What `fastdl.Trainer.fit` returned, with at least one epoch.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each measure.

    Raises
    ------
    DataError
        There is no epoch.
    FastdlError
        matplotlib is missing.
    """
    if not len(history):
        raise DataError("learning_curves: the history has no epoch yet")
    others = ("epoch", "examples_per_second", "seconds")
    measures = [
        name
        for name in history.columns
        if name not in others and not name.startswith("val_")
    ]
    with new_figure(4.6 * len(measures), 3.8, "Learning curves") as figure:
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        for axes, name in zip(panels, measures, strict=True):
            _panel(axes, history, name)
    return figure


def _panel(axes: Axes, history: History, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    curves = [
        ("training", name, BLUE, "o-"),
        ("validation", f"val_{name}", VERMILION, "s--"),
    ]
    epochs = history["epoch"]
    for label, column, colour, line in curves:
        if column in history.columns:
            axes.plot(
                epochs, history[column], line, color=colour, label=label, markersize=4
            )
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(history["epoch"][0] - 0.5, history["epoch"][-1] + 0.5)
    axes.grid(axis="y", color=GREY, alpha=0.2)
    axes.legend(frameon=False)
