"""The curve of a learning-rate range test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastdl.errors import DataError, ShapeError
from fastdl.report.style import BLUE, GREY, VERMILION, new_figure
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BETA = 0.9  # of the average that smooths the losses


def learning_rate_curve(rates: ArrayLike, losses: ArrayLike) -> Figure:
    """Draw the loss over a learning rate that grew from step to step.

    The dot marks where the smoothed loss falls fastest: a good rate to train with is
    there or a little to the left (Smith 2017, "Cyclical learning rates").

    Parameters
    ----------
    rates : array_like, (steps,)
        The learning rates, > 0 and growing, at least two.
    losses : array_like, (steps,)
        The loss at each of them; the test may end with NaN or infinity.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        They are not rows of equal length, from 2.
    DataError
        The rates do not grow from above 0, or fewer than two losses are finite.
    FastdlError
        matplotlib is missing.
    """
    lr, loss = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    if lr.ndim != 1 or lr.shape != loss.shape or len(lr) < 2:
        raise ShapeError(
            f"learning_rate_curve: expected as many losses as rates, at least 2, got "
            f"shapes {lr.shape} and {loss.shape}"
        )
    if not (np.isfinite(lr).all() and lr[0] > 0 and (np.diff(lr) > 0).all()):
        raise DataError(
            "learning_rate_curve: the rates must be finite, above 0, and grow"
        )
    finite = np.isfinite(loss)
    if finite.sum() < 2:
        raise DataError("learning_rate_curve: fewer than two losses are finite")
    lr, loss = lr[finite], loss[finite]
    smooth = _smoothed(loss)
    best = _steepest(lr, smooth)
    title = f"Learning rate: the loss falls fastest at {lr[best]:.2g}"
    with new_figure(6.4, 4, title) as figure:
        axes = figure.subplots()
        axes.plot(lr, loss, color=BLUE, alpha=0.25, label="loss of each step")
        axes.plot(lr, smooth, color=BLUE, linewidth=2, label="smoothed")
        axes.plot(
            lr[best],
            smooth[best],
            "o",
            color=VERMILION,
            markersize=8,
            label="falls fastest",
        )
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        low, start = smooth.min(), smooth[0]
        rise = 0.5 * (start - low) or 0.5 * abs(start) or 1.0
        axes.set_ylim(low - 0.3 * rise, start + rise)  # cuts off the explosion
        axes.grid(axis="y", color=GREY, alpha=0.2)
        axes.legend(frameon=False)
    return figure


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Return the exponentially weighted average, with bias correction."""
    averages, average = np.empty_like(losses), 0.0
    for step, loss in enumerate(losses):
        average = _BETA * average + (1 - _BETA) * loss
        averages[step] = average / (1 - _BETA ** (step + 1))
    return averages


def _steepest(rates: np.ndarray, smooth: np.ndarray) -> int:
    """Return the step of the steepest fall on the way to the lowest loss."""
    end = max(int(smooth.argmin()), 1) + 1
    slope = np.gradient(smooth[:end], np.log(rates[:end]))
    return int(slope.argmin())
