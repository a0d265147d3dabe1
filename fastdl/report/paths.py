"""The paths of optimisers over a surface of two parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.report.style import GREY, INK, PALETTE, new_figure
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]
Limits = tuple[tuple[float, float], tuple[float, float]]

_POINTS = 200  # of the grid, along each side
_LEVELS = 18
_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def optimizer_paths(
    function: Surface,
    paths: Mapping[str, ArrayLike],
    limits: Limits | None = None,
    title: str = "Paths of the optimisers",
) -> Figure:
    """Draw paths over the contours of a function, and its value at each step.

    Parameters
    ----------
    function : callable
        ``function(w1, w2) -> values``, on arrays of equal shape.
    paths : dict of str to array_like, (steps, 2)
        For each optimiser the points (w1, w2) that it went through; one to six paths of
        at least one point.
    limits : pair of pair of float, optional
        ``((w1 from, to), (w2 from, to))``; by default what the paths need.
    title : str
        The heading.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels: the contours, and the values by step. A ring marks the start.

    Raises
    ------
    ArgumentError
        There are no paths, more than six, or `function` is not callable.
    ShapeError
        A path is not (steps, 2), or the function changes the shape.
    DataError
        A path has a NaN or an infinity; the message names it and the step.
    FastdlError
        matplotlib is missing.
    """
    if not callable(function):
        raise ArgumentError(
            f"optimizer_paths: function must be callable, got {function!r:.60}"
        )
    if not 1 <= len(paths) <= len(PALETTE):
        raise ArgumentError(
            f"optimizer_paths: expected 1 to {len(PALETTE)} paths, got {len(paths)}"
        )
    points = {name: _checked(name, path) for name, path in paths.items()}
    with new_figure(9.6, 4.2, title) as figure:
        surface, values = figure.subplots(1, 2, width_ratios=[1.15, 1])
        _contour(surface, function, limits or _needed(points))
        for (name, path), colour, line in zip(
            points.items(), PALETTE, _STYLES, strict=False
        ):
            surface.plot(*path.T, color=colour, linestyle=line, linewidth=2)
            surface.plot(*path[-1], "o", color=colour, markersize=7)
            values.plot(
                function(*path.T),
                color=colour,
                linestyle=line,
                linewidth=2,
                label=name,
            )
            surface.plot(*path[0], "o", color=INK, markersize=9, fillstyle="none")
        surface.set(xlabel="w1", ylabel="w2", title="contour")
        values.set(xlabel="step", title="value of the function")
        values.grid(axis="y", color=GREY, alpha=0.2)
        values.legend(frameon=False)
    return figure


def _checked(name: str, path: ArrayLike) -> np.ndarray:
    path = np.asarray(path, np.float64)
    if path.ndim != 2 or path.shape[1] != 2 or not len(path):
        raise ShapeError(
            f"optimizer_paths: path {name!r} must have shape (steps, 2), got "
            f"{path.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(path).all(axis=1))
    if bad.size:
        raise DataError(
            f"optimizer_paths: path {name!r} is not finite from step {bad[0]}; show "
            f"the steps before, path[:{bad[0]}]"
        )
    return path


def _needed(points: Mapping[str, np.ndarray]) -> Limits:
    every = np.concatenate(list(points.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    margin = np.maximum(0.15 * (high - low), 0.1 * (high - low).max())
    margin = np.where(margin > 0, margin, 1)
    (left, bottom), (right, top) = low - margin, high + margin
    return (left, right), (bottom, top)


def _contour(axes: Axes, function: Surface, limits: Limits) -> None:
    w1, w2 = np.meshgrid(*(np.linspace(*side, _POINTS) for side in limits))
    values = np.asarray(function(w1, w2))
    if values.shape != w1.shape:
        raise ShapeError(
            f"optimizer_paths: the function must keep the shape {w1.shape}, it gave "
            f"{values.shape}"
        )
    # Equal areas between the lines: narrow valleys get as many as steep walls.
    levels = np.unique(np.quantile(values, np.linspace(0, 1, _LEVELS)))
    if len(levels) > 1:
        axes.contourf(w1, w2, values, levels, cmap="Greys_r", alpha=0.35)
        axes.contour(w1, w2, values, levels, colors=[GREY], linewidths=0.4)
    axes.set(xlim=limits[0], ylim=limits[1])
