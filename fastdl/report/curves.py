"""Learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from fastdl.errors import DataError
from fastdl.report.style import BLUE, GREY, INK, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdl.train import History

_DOTS = 30  # epochs; with more, a mark at each is clutter
_COLUMNS = 3
_NOT_SHOWN = ("epoch", "examples_per_second", "seconds")
RATE = "learning_rate"
_FALLS = 8  # a rate that is mostly this far below its top needs a logarithmic scale


def learning_curves(history: History) -> Figure:
    """Draw the loss, each metric and the learning rate over the epochs.

    Each measure has training and validation in one panel. The learning rate is shown if
    the history has a column "learning_rate".

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
        There are no epochs.
    FastdlError
        matplotlib is missing.
    """
    if not len(history):
        raise DataError("learning_curves: the history has no epoch yet")
    measures = panel_names(history)
    columns = min(_COLUMNS, len(measures))
    rows = math.ceil(len(measures) / columns)
    with new_figure(4.6 * columns, 3.3 * rows + 0.5, "Learning curves") as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(measures) :]:
            axes.set_visible(False)
        for axes, name in zip(panels, measures, strict=False):
            _panel(axes, history, name)
    return figure


def panel_names(history: History) -> list[str]:
    """Return the columns that have a panel of their own, the learning rate last."""
    measures = [
        name
        for name in history
        if name not in _NOT_SHOWN and not name.startswith("val_")
    ]
    return sorted(measures, key=lambda name: name == RATE)


def spread_over_decades(rates: Sequence[float]) -> bool:
    """Return whether learning rates need a logarithmic scale."""
    return min(rates) > 0 and max(rates) > _FALLS * median(rates)


def _panel(axes: Axes, history: History, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = history["epoch"]
    mark = "" if len(history) > _DOTS else "o"
    if name == RATE:
        rates = history[RATE]
        axes.plot(epochs, rates, f"{mark}-", color=INK, markersize=4)
        if spread_over_decades(rates):
            axes.set_yscale("log")
    else:
        axes.plot(
            epochs,
            history[name],
            f"{mark}-",
            color=BLUE,
            label="training",
            markersize=4,
        )
        if f"val_{name}" in history:
            axes.plot(
                epochs,
                history[f"val_{name}"],
                f"{mark and 's'}--",
                color=VERMILION,
                label="validation",
                markersize=4,
            )
        axes.legend(frameon=False)
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.grid(axis="y", color=GREY, alpha=0.2)
