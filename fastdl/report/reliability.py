"""The reliability diagram: accuracy by confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.metrics import CalibrationCurve
from fastdl.report.style import BLUE, GREY, INK, PALETTE, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SKY = PALETTE[5]


def reliability_diagram(curve: CalibrationCurve) -> Figure:
    """Draw the accuracy of a model over its confidence, and how frequent that is.

    A calibrated model is on the diagonal. A gap below means that the model is
    overconfident, a gap above that it is underconfident.

    Source: Guo et al. (2017, "On Calibration of Modern Neural Networks").

    Parameters
    ----------
    curve : CalibrationCurve
        As `fastdl.metrics.calibration_curve` returns it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    FastdlError
        matplotlib is missing.
    """
    some = curve.examples > 0
    confidence, accuracy = curve.confidence[some], curve.accuracy[some]
    examples = curve.examples[some]
    mean = float(np.average(confidence, weights=examples))
    # A bin of equal answers has no width, but should be visible.
    place: dict[str, Any] = {
        "x": curve.edges[:-1][some],
        "align": "edge",
        "edgecolor": "white",
    }
    place["width"] = np.maximum(np.diff(curve.edges)[some], 0.005)
    title = f"Calibration: off by {curve.error:.1%} on average"
    with new_figure(5.2, 6.4, title) as figure:
        from matplotlib.ticker import MaxNLocator

        above, below = figure.subplots(2, sharex=True, height_ratios=[3, 1])
        above.bar(height=accuracy, color=BLUE, label="right", **place)
        _gap(above, accuracy, confidence, VERMILION, "too sure", place)
        _gap(above, confidence, accuracy, SKY, "not sure enough", place)
        above.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="calibrated")
        above.set_ylim(0, 1)
        above.set_ylabel("share that is right")
        above.legend(frameon=False, loc="upper left", fontsize=9)
        below.bar(height=examples, color=GREY, **place)
        below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        below.set(xlabel=f"confidence (mean {mean:.1%})", ylabel="answers")
        below.set_xlim(0, 1)
    return figure


def _gap(
    axes: Axes, low: np.ndarray, high: np.ndarray, colour: str, label: str, place: dict
) -> None:
    """Fill from low to high, where there is such a gap."""
    height = np.maximum(high - low, 0)
    if height.any():
        axes.bar(
            height=height, bottom=low, color=colour, hatch="//", label=label, **place
        )
