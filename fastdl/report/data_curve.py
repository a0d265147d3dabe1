"""The error against the number of training examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastdl.report.style import BLUE, GREY, INK, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastdl.strategy import DataCurve

_AHEAD = 4  # times the largest training set: how far the law is drawn


def data_curve(curve: DataCurve, wanted: float | None = None) -> Figure:
    """Draw the errors for growing training sets, and extend the law that they follow.

    The band is the 95 % confidence interval of the law.

    Parameters
    ----------
    curve : DataCurve
        What `fastdl.strategy.learning_curve` returned.
    wanted : float, optional
        A dev error, drawn as a line.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    FastdlError
        matplotlib is missing.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

    first, last = float(curve.sizes[0]), float(curve.sizes[-1])
    sizes = np.geomspace(first, _AHEAD * last, 60)
    law, low, high = np.transpose([curve.expected(size) for size in sizes])
    title = "More data would help" if curve.helps else "More data would help little"
    with new_figure(6.4, 4, title) as figure:
        axes = figure.subplots()
        axes.fill_between(sizes, low, high, color=VERMILION, alpha=0.15, linewidth=0)
        axes.plot(sizes, law, "--", color=VERMILION, label="law of the dev error")
        axes.plot(curve.sizes, curve.dev, "s", color=VERMILION, label="dev error")
        axes.plot(curve.sizes, curve.train, "o-", color=BLUE, label="training error")
        if wanted is not None:
            axes.axhline(wanted, color=INK, linewidth=1, label=f"wanted: {wanted:.2%}")
        axes.axvline(last, color=GREY, linewidth=1, linestyle=":")
        axes.set(xscale="log", xlabel="training examples", ylabel="error")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda size, _: f"{size:,.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=GREY, alpha=0.2)
        axes.legend(frameon=False)
    return figure
