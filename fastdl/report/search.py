"""What a search of hyperparameters found, as pictures.

Values are drawn at their positions on the scale of the search, so that a learning rate
has a logarithmic axis, and a momentum one of 1 - beta.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.errors import DataError
from fastdl.report.style import BLUE, GREY, INK, VERMILION, new_figure
from fastdl.tune import Choice, Integer, Linear, Log, OneMinusLog, Scale, SearchResult
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_MOST_TICKS = 6
_SHOWN = 4.0  # times the distance from best to median; scores beyond go to the edge
_PALE = "#DDDDDD"


def search_history(result: SearchResult) -> Figure:
    """Draw the score of each trial, and the best so far.

    Parameters
    ----------
    result : SearchResult
        Of `fastdl.tune.search`, with one score at least.

    Returns
    -------
    matplotlib.figure.Figure
        Trials that were stopped early are at their last score. A triangle at the edge
        is a score that is far worse.

    Raises
    ------
    DataError
        No trial has a score.
    FastdlError
        matplotlib is missing.
    """
    best = _best(result, "search_history")
    title = f"Search: best {best.score:.4g}, trial {best.number}"
    with new_figure(7.2, 4, title) as figure:
        axes = figure.subplots()
        points = _Points(result)
        numbers = [trial.number for trial in result.trials]
        points.draw(axes, dict(zip(numbers, numbers, strict=True)))
        so_far = (np.fmax if result.plan.mode == "max" else np.fmin).accumulate(
            [math.nan if t.score is None else t.score for t in result.trials]
        )
        shown = points.clip(so_far)
        axes.step(numbers, shown, where="post", color=INK, label="best so far")
        axes.set(xlabel="trial", ylabel=_score_name(result))
        axes.legend(frameon=False)
    return figure


def search_slices(result: SearchResult) -> Figure:
    """Draw the scores over each hyperparameter, on its scale.

    Parameters, result and errors are those of `search_history`; there is a panel for
    each hyperparameter that was searched.
    """
    _best(result, "search_slices")
    names = _searched(result, "search_slices")
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    size = (max(4.2 * columns, 5.5), 3.3 * rows + 0.5)
    with new_figure(*size, "Scores over each hyperparameter") as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        points = _Points(result)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        for axes, name in zip(panels, names, strict=False):
            scale = result.plan.space[name]
            points.draw(
                axes,
                {
                    trial.number: scale.position(trial.params[name])
                    for trial in result.trials
                    if name in trial.params
                },
            )
            places, labels = ticks(scale)
            axes.set(xlabel=name, xlim=(-0.04, 1.04))
            axes.set_xticks(places, labels)
            if axes.get_subplotspec().is_first_col():
                axes.set_ylabel(_score_name(result))
        panels[0].legend(frameon=False)
    return figure


def search_parallel(result: SearchResult) -> Figure:
    """Draw each trial as a line through its values and its score.

    Parameters, result and errors are those of `search_history`. The better the score,
    the darker the line; the best trial is vermilion, those without a score are grey.
    """
    best = _best(result, "search_parallel")
    names = _searched(result, "search_parallel")
    ranked = result.ranked()
    place = {t.number: 1 - i / len(ranked) for i, t in enumerate(ranked)}
    points = _Points(result)
    low, high = points.limits
    with new_figure(max(1.9 * (len(names) + 1), 5.5), 4.4, "All trials") as figure:
        axes = figure.subplots()
        for trial in [*(t for t in result.trials if t.score is None), *ranked[::-1]]:
            heights = [
                result.plan.space[name].position(trial.params[name])
                for name in names
                if name in trial.params
            ]
            if len(heights) < len(names):
                continue
            if trial.score is None:
                style: dict[str, Any] = {"color": _PALE, "linewidth": 0.8}
            else:
                heights.append(float((points.clip(trial.score) - low) / (high - low)))
                strength = 0.15 + 0.75 * place[trial.number] ** 2
                style = {"color": BLUE, "alpha": strength, "linewidth": 1.2}
            if trial.number == best.number:
                style = {"color": VERMILION, "linewidth": 2.5}
            axes.plot(range(len(heights)), heights, **style)
        last = len(names)
        for i, name in enumerate(names):
            _vertical(axes, i, *ticks(result.plan.space[name]))
        scores = np.linspace(low, high, 5)
        _vertical(axes, last, np.linspace(0, 1, 5), [f"{s:.3g}" for s in scores])
        axes.set_xticks(range(last + 1), [*names, _score_name(result)])
        axes.tick_params(axis="x", length=0)
        axes.set(xlim=(-0.1, last + 0.45), ylim=(-0.05, 1.05), yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def search_importance(result: SearchResult) -> Figure:
    """Draw how much each hyperparameter matters for good scores.

    Parameters and errors are those of `search_history`; it is also an error if fewer
    than ten trials have a score, or all scores are equal. See
    `fastdl.tune.SearchResult.importance`.
    """
    shares = result.importance()
    if not shares:
        raise DataError(
            "search_importance: there are too few different scores, ten are needed"
        )
    order = sorted(shares, key=shares.__getitem__)
    with new_figure(6.4, 0.45 * len(order) + 1.3, "Importance") as figure:
        axes = figure.subplots()
        widths = [shares[name] for name in order]
        bars = axes.barh(order, widths, color=BLUE, height=0.6)
        axes.bar_label(bars, [f"{width:.0%}" for width in widths], padding=4)
        axes.set(xlim=(0, max(widths) * 1.15), xticks=[])
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure


def ticks(scale: Scale) -> tuple[list[float], list[str]]:
    """Return the positions in [0, 1] of round values on a scale, and their labels."""
    if isinstance(scale, Choice):
        values: list[Any] = list(scale.options)
    elif isinstance(scale, Log):
        values = _decades(scale.low, scale.high)
    elif isinstance(scale, OneMinusLog):
        values = [1 - v for v in _decades(1 - scale.high, 1 - scale.low)][::-1]
    else:
        assert isinstance(scale, Linear | Integer)
        values = _round_values(scale.low, scale.high, isinstance(scale, Integer))
    return [scale.position(v) for v in values], [_label(v) for v in values]


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten, or the ends where there are fewer than two."""
    first = math.ceil(math.log10(low) - 1e-9)
    last = math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / _MOST_TICKS))
    powers = [10.0**r for r in range(first, last + 1, step)]
    return powers if len(powers) > 1 else [low, high]


def _round_values(low: float, high: float, whole: bool) -> list[Any]:
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(_MOST_TICKS - 1, integer=whole, steps=[1, 2, 5, 10])
    slack = 1e-9 * (high - low)
    values = np.asarray(locator.tick_values(low, high))
    values = values[(low - slack <= values) & (values <= high + slack)]
    return [round(v) if whole else float(v) for v in values]


def _label(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


class _Points:
    """The scores of a result, and the range of them to show."""

    def __init__(self, result: SearchResult) -> None:
        self._result = result
        scores = [trial.score for trial in result.ranked() if trial.score is not None]
        best, median, worst = scores[0], float(np.median(scores)), scores[-1]
        far = best + _SHOWN * (median - best)
        edge = max(worst, far) if result.plan.mode == "max" else min(worst, far)
        margin = 0.04 * abs(best - edge) or 0.05 * abs(best) or 0.05
        ends = sorted((best, edge))
        self.limits = (ends[0] - margin, ends[1] + margin)

    def clip(self, scores: ArrayLike) -> np.ndarray:
        """Return scores, with those that are far worse moved to the edge."""
        return np.clip(scores, *self.limits)

    def draw(self, axes: Axes, x: dict[int, float]) -> None:
        """Draw each trial over a number that belongs to it."""
        low, high = self.limits
        axes.set_ylim(low, high)
        best = self._result.best.number
        trials = [trial for trial in self._result.trials if trial.number in x]
        groups = (
            ("stopped early", "x", GREY, 22, [t for t in trials if t.score is None]),
            ("complete", "o", BLUE, 22, [t for t in trials if t.score is not None]),
            ("best", "o", VERMILION, 60, [t for t in trials if t.number == best]),
        )
        for label, marker, colour, size, group in groups:
            known = [(x[t.number], _last(t)) for t in group if _last(t) is not None]
            if not known:
                continue
            across, scores = np.transpose(np.array(known, np.float64))
            inside = (low <= scores) & (scores <= high)
            style: Any = {"color": colour, "clip_on": False, "zorder": 3}
            axes.scatter(
                across[inside],
                scores[inside],
                size,
                marker=marker,
                label=label,
                **style,
            )
            edge = self.clip(scores[~inside])
            down = "v" if self._result.plan.mode == "max" else "^"
            axes.scatter(across[~inside], edge, 14, marker=down, alpha=0.6, **style)
        axes.grid(axis="y", color=GREY, alpha=0.2)


def _last(trial: Any) -> float | None:
    """Return the score of a trial, or its last one before it was stopped."""
    if trial.score is not None or not trial.curve:
        return trial.score
    return list(trial.curve.values())[-1]


def _best(result: SearchResult, operation: str) -> Any:
    try:
        return result.best
    except DataError as error:
        raise DataError(f"{operation}: {error}") from None


def _searched(result: SearchResult, operation: str) -> list[str]:
    names = result.plan.space.searched
    if not names:
        raise DataError(f"{operation}: no hyperparameter has more than one value")
    return names


def _score_name(result: SearchResult) -> str:
    monitor = str(result.plan.objective.get("monitor", "score"))
    return monitor.replace("val_", "dev ").replace("_", " ")


def _vertical(
    axes: Axes, at: float, places: Sequence[float] | np.ndarray, labels: list[str]
) -> None:
    axes.plot([at, at], [0, 1], color=GREY, linewidth=1)
    for place, label in zip(places, labels, strict=True):
        axes.plot([at, at + 0.03], [place, place], color=GREY, linewidth=1)
        axes.text(
            at + 0.05,
            place,
            label,
            va="center",
            fontsize=8,
            color=INK,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
        )
