"""ROC curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastdl.errors import ArgumentError
from fastdl.metrics import RocCurve
from fastdl.report.style import BLUE, GREY, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))


def roc_curve(curves: RocCurve | Mapping[str, RocCurve]) -> Figure:
    """Draw the true positive rate over the false positive rate.

    Parameters
    ----------
    curves : RocCurve or dict of str to RocCurve
        As `fastdl.metrics.roc_curve` returns it; or up to six by name, of models to
        compare or of classes.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        There are none, or more than six.
    FastdlError
        matplotlib is missing.
    """
    named = {"": curves} if isinstance(curves, RocCurve) else dict(curves)
    if not 1 <= len(named) <= len(PALETTE):
        raise ArgumentError(
            f"roc_curve: draws 1 to {len(PALETTE)} curves, got {len(named)}"
        )
    alone = isinstance(curves, RocCurve)
    title = f"ROC: area {curves.area:.4f}" if alone else "ROC"  # type: ignore[union-attr]
    with new_figure(5.4, 5.6, title) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="chance")
        for (name, curve), colour, dash in zip(
            named.items(), PALETTE, _DASHES, strict=False
        ):
            axes.plot(
                curve.false_positive_rate,
                curve.true_positive_rate,
                linestyle=dash,
                color=colour,
                label=f"{name}  area {curve.area:.4f}".strip(),
            )
        if alone:
            axes.fill_between(
                curve.false_positive_rate,
                curve.true_positive_rate,
                color=BLUE,
                alpha=0.1,
                linewidth=0,
            )
        axes.set(
            xlabel="false positive rate (of no, taken for yes)",
            ylabel="true positive rate (of yes, found)",
            aspect="equal",
        )
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.grid(color=GREY, alpha=0.2)
        axes.legend(frameon=False, loc="lower right")
    return figure
