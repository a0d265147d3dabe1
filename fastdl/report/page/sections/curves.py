"""Each measure over the epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from fastdl.report.curves import RATE, panel_names, spread_over_decades
from fastdl.report.page import svg
from fastdl.report.page.html import Content, Markup, note, table, tag
from fastdl.report.page.text import number, plural
from fastdl.train import History


def curves(history: History) -> Iterator[Content]:
    """Show each measure over the epochs, training beside validation."""
    if not len(history):
        yield note("This run has no record of its epochs (metrics.csv).")
        return
    if not any(name.startswith("val_") for name in history):
        yield note(
            "Nothing was measured on validation data during this run, so the curves "
            "cannot tell whether it overfits."
        )
    drawings = [_panel(history, name) for name in panel_names(history)]
    yield tag("div", drawings, class_="charts")
    shown = [name for name in history if name != "epoch"]
    rows = [
        [f"{row['epoch']:g}", *(number(row.get(name, math.nan)) for name in shown)]
        for row in history.rows
    ]
    head = ["epoch", *map(in_words, shown)]
    yield tag(
        "details",
        tag("summary", "The numbers of each epoch"),
        table(head, rows, "Measures of each epoch", "numbers"),
    )


def _panel(history: History, name: str) -> Markup:
    epochs = history["epoch"]
    lines = [svg.Line("training", epochs, history[name])]
    if f"val_{name}" in history:
        lines.append(svg.Line("validation", epochs, history[f"val_{name}"]))
    return curve_figure(name, lines)


def curve_figure(name: str, lines: Sequence[svg.Line]) -> Markup:
    """Draw one measure of one or more trainings over their epochs."""
    heading = in_words(name)
    values = [value for line in lines for value in line.y]
    log = name == RATE and spread_over_decades(values)
    drawing = svg.line_chart(
        lines,
        epoch_axis([epoch for line in lines for epoch in line.x]),
        svg.axis(heading, values, log=log),
        f"{heading}: " + "; ".join(map(_course, lines)),
        number,
    )
    return svg.figure(
        heading, drawing, [line.name for line in lines] * (len(lines) > 1)
    )


def in_words(column: str) -> str:
    """Return "validation loss" for "val_loss"."""
    return column.replace("val_", "validation ", 1).replace("_", " ")


def epoch_axis(epochs: Sequence[float]) -> svg.Axis:
    """Return an axis whose ticks are whole epochs."""
    return svg.Axis("epoch", min(epochs) - 0.5, max(epochs) + 0.5, whole=True)


def _course(line: svg.Line) -> str:
    first, last = number(line.y[0]), number(line.y[-1])
    return f"{line.name} from {first} to {last} in {plural(len(line.y), 'epoch')}"
