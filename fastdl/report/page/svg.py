"""Charts as SVG in the page; colours, fonts and dark mode come from its CSS.

A chart is drawn in 360 x 220 units, about its size on a phone, and scales to fit.
Colours and dashes are classes (``c0``, ``d0``, ...), paired so that 36 lines differ,
and up to six even without colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fastdl.report.page.html import Content, Markup, tag
from fastdl.report.page.text import short
from fastdl.report.style import shortened
from fastdl.typing import ArrayLike

Numbers = Sequence[float] | np.ndarray

_LOOKS = 6  # colours, and dash patterns, in style.css
_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 350, 10, 182
_MOST_POINTS = 400  # of a line; more than a screen shows
_MOST_DOTS = 30
_MOST_LABELS = 20  # beside a heat map


class Line(NamedTuple):
    """A line of a chart.

    Attributes
    ----------
    name : str
    x, y : sequence of float
        Of equal length; the line has a gap where one is not finite.
    """

    name: str
    x: Numbers
    y: Numbers


class Axis(NamedTuple):
    """One direction of a chart: what it measures, and its range."""

    label: str
    low: float
    high: float
    log: bool = False
    whole: bool = False  # ticks are integers

    def place(self, value: float, start: float, end: float) -> float:
        """Return where a value lies between two coordinates."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return start + (value - low) / (high - low) * (end - start)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round numbers within the range."""
        if self.log:
            return _powers(self.low, self.high)
        rough = (self.high - self.low) / most
        if self.whole:
            rough = max(rough, 1.0)
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def axis(
    label: str, values: ArrayLike, *, log: bool = False, zero: bool = False
) -> Axis:
    """Return the axis that shows all finite values, with 0 if it is asked for."""
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers) & ((numbers > 0) | (not log))]
    low, high = (numbers.min(), numbers.max()) if numbers.size else (0.0, 1.0)
    if log:
        low, high = (low, high) if numbers.size else (0.1, 1.0)
        return Axis(label, float(low) / 1.3, float(high) * 1.3, log=True)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    keep_zero = zero and low == 0
    return Axis(label, float(low if keep_zero else low - margin), float(high + margin))


def line_chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    title: str,
    describe: Callable[[float], str] = lambda value: f"{value:.4g}",
) -> Markup:
    """Draw lines over each other.

    Parameters
    ----------
    lines : sequence of Line
        The first has the first colour, and so on.
    x, y : Axis
    title : str
        For screen readers, and as the heading of the tooltips.
    describe : callable
        Formats a value of y for a tooltip.
    """
    shapes = []
    for index, line in enumerate(lines):
        points = [(a, b) for a, b in _thinned(line) if not y.log or not b <= 0]
        path = _path([(_x(x, a), _y(y, b)) for a, b in points])
        shapes.append(tag("path", d=path, class_=f"line {_look(index)}"))
        if len(points) <= _MOST_DOTS:
            shapes += [
                tag(
                    "circle",
                    tag("title", f"{line.name}, {x.label} {a:g}: {describe(b)}"),
                    cx=f"{_x(x, a):.1f}",
                    cy=f"{_y(y, b):.1f}",
                    r=3,
                    class_=f"dot {_look(index)}",
                )
                for a, b in points
                if math.isfinite(b)
            ]
    return _chart(title, [_frame(x, y), shapes])


def bar_chart(
    heights: Numbers,
    edges: Numbers,
    x: Axis,
    y: Axis,
    title: str,
    labels: Sequence[str],
    diagonal: bool = False,
) -> Markup:
    """Draw upright bars between edges, optionally with the line x = y.

    Parameters
    ----------
    heights : sequence of float, (n,)
        NaN: no bar.
    edges : sequence of float, (n + 1,)
    x, y : Axis
    title : str
        For screen readers.
    labels : sequence of str, (n,)
        The tooltips.
    diagonal : bool
        Whether to draw the line.
    """
    bars = []
    for i, (height, label) in enumerate(zip(heights, labels, strict=True)):
        if not math.isfinite(height):
            continue
        left, right = _x(x, edges[i]) + 0.75, _x(x, edges[i + 1]) - 0.75
        top = _y(y, height)
        bars.append(
            tag(
                "rect",
                tag("title", label),
                x=f"{left:.1f}",
                y=f"{top:.1f}",
                width=f"{right - left:.1f}",
                height=f"{_BOTTOM - top:.1f}",
                class_="bar",
            )
        )
    corners = [(_x(x, each), _y(y, each)) for each in (x.low, x.high)]
    line = tag("path", d=_path(corners), class_="ideal") if diagonal else None
    return _chart(title, [_frame(x, y), bars, line])


def heat_map(
    strength: np.ndarray,
    names: Sequence[str],
    describe: Callable[[int, int], str],
    title: str,
) -> Markup:
    """Draw the cells of a square matrix; those on the diagonal have another colour.

    Parameters
    ----------
    strength : ndarray, (n, n)
        0 (nothing is drawn) to 1. Rows run down.
    names : sequence of str, (n,)
        Of the rows; some of them are written.
    describe : callable
        ``describe(row, column)``, the tooltip of a cell.
    title : str
        What a screen reader says.
    """
    n = len(strength)
    cells = [
        tag(
            "rect",
            tag("title", describe(row, column)),
            x=int(column),
            y=int(row),
            width=1,
            height=1,
            class_="right" if row == column else "wrong",
            fill_opacity=f"{0.12 + 0.88 * strength[row, column]:.2f}",
            data_cell=None if row == column else f"{row}-{column}",
        )
        for row, column in np.argwhere(strength > 0)
    ]
    margin = 0.17 * n
    labels = [
        tag(
            "text",
            shortened(names[row]),
            x=f"{-0.01 * n:.2f}",
            y=row + 0.5,
            dy="0.35em",
            font_size=f"{0.024 * n:.2f}",
        )
        for row in range(0, n, -(-n // _MOST_LABELS))
    ]
    return tag(
        "svg",
        tag("title", title),
        tag("rect", width=n, height=n, class_="field"),
        cells,
        tag("g", labels, aria_hidden="true"),
        viewBox=f"{-margin:.2f} {-0.01 * n:.2f} {n + margin:.2f} {1.02 * n:.2f}",
        role="img",
        class_="heat",
    )


def figure(heading: str, drawing: Markup, legend: Sequence[str] = ()) -> Markup:
    """Return a chart under its heading, with the names of its lines."""
    names = [
        tag("span", _swatch(index), name, class_="key")
        for index, name in enumerate(legend)
    ]
    caption = tag("figcaption", tag("strong", heading), names)
    return tag("figure", caption, drawing)


def _swatch(index: int) -> Markup:
    """Return the sign of a line for a legend."""
    return tag(
        "svg",
        tag("path", d="M1 6H27", class_=f"line {_look(index)}"),
        viewBox="0 0 28 12",
        aria_hidden="true",
        class_="swatch",
    )


def _look(index: int) -> str:
    """Return the classes of a line: its colour and its dash pattern."""
    return f"c{index % _LOOKS} d{(index + index // _LOOKS) % _LOOKS}"


def _chart(title: str, content: Content) -> Markup:
    """Return a drawing of the usual size."""
    return tag(
        "svg",
        tag("title", title),
        content,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        class_="chart",
    )


def _frame(x: Axis, y: Axis) -> Markup:
    """Return grid, ticks and labels."""
    parts = []
    for value in y.ticks():
        at = f"{_y(y, value):.1f}"
        parts.append(tag("path", d=f"M{_LEFT} {at}H{_RIGHT}", class_="grid"))
        parts.append(
            tag("text", short(value), x=_LEFT - 6, y=at, dy="0.35em", class_="tick y")
        )
    for value in x.ticks(7):
        at = f"{_x(x, value):.1f}"
        parts.append(tag("text", short(value), x=at, y=_BOTTOM + 15, class_="tick x"))
    middle = (_LEFT + _RIGHT) // 2
    parts.append(tag("text", x.label, x=middle, y=_HEIGHT - 6, class_="tick x label"))
    return tag("g", parts, aria_hidden="true")


def _x(x: Axis, value: float) -> float:
    return x.place(value, _LEFT, _RIGHT)


def _y(y: Axis, value: float) -> float:
    return y.place(value, _BOTTOM, _TOP) if math.isfinite(value) else math.nan


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return a line through points, with a gap where there is none."""
    pieces, pen = [], "M"
    for x, y in points:
        if math.isfinite(y):
            pieces.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L" if math.isfinite(y) else "M"
    return "".join(pieces)


def _thinned(line: Line) -> list[tuple[float, float]]:
    """Return the points; for a long line only every so many, and the last."""
    step = -(-len(line.x) // _MOST_POINTS) or 1
    points = list(zip(line.x, line.y, strict=True))
    return points[::step] + (points[-1:] if (len(points) - 1) % step else [])


def _powers(low: float, high: float) -> list[float]:
    """Return powers of ten in the range, and numbers between them if there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [f * 10.0**d for d in decades for f in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) > 2:
            break
    return ticks[:: -(-len(ticks) // 6)] if ticks else []
