"""The differences between several runs: results, cost, settings and curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdl import metrics
from fastdl.report.curves import panel_names
from fastdl.report.page import svg
from fastdl.report.page.html import Content, Markup, note, table, tag
from fastdl.report.page.results import Answers, Results, sign_test
from fastdl.report.page.sections.curves import curve_figure
from fastdl.report.page.sections.settings import in_words, machine_of
from fastdl.report.page.text import duration
from fastdl.strategy import InferenceCost, setting_differences

_ABSENT = "-"


def comparison(results: Sequence[Results]) -> list[tuple[str, str, Iterable[Content]]]:
    """Return the sections (name, heading, content) that show all runs side by side."""
    return [
        ("results", "Results and cost", _results(results)),
        ("differences", "Settings that differ", _differences(results)),
        ("curves", "Curves over each other", _curves(results)),
    ]


# Results and cost


class _Row(NamedTuple):
    """A line of the table: its name, how to get and format its value, which is best."""

    name: str
    value: Callable[[Results], float]  # NaN: not known
    text: Callable[[float], str]
    best: Callable[[Sequence[float]], float] | None = None
    of_data: bool = True  # comparable only on the same data


def _of_answers(measure: Callable[[Answers], float]) -> Callable[[Results], float]:
    return lambda each: math.nan if each.answers is None else measure(each.answers)


def _error(part: str) -> Callable[[Results], float]:
    return lambda each: (
        math.nan
        if each.diagnosis is None
        else each.diagnosis.errors.get(part, math.nan)
    )


def _seconds(each: Results) -> float:
    return sum(each.run.history["seconds"]) if each.times_known else math.nan


def _cost(
    name: str, measure: Callable[[InferenceCost], float], text: Callable[[float], str]
) -> _Row:
    return _Row(name, lambda each: measure(each.cost), text, min, of_data=False)


_calibration = _of_answers(lambda each: each.calibration.error)
_percent = "{:.2%}".format
_count = "{:,.0f}".format
_ROWS = (
    _Row("accuracy", _of_answers(lambda each: 1 - each.error), _percent, max),
    _Row(
        "mean F1",
        _of_answers(
            lambda each: float(metrics.f1(each.y_true, each.probabilities, "macro"))
        ),
        "{:.4f}".format,
        max,
    ),
    _Row("calibration error", _calibration, _percent, min),
    _Row("examples", _of_answers(lambda each: len(each.y_true)), _count),
    _Row("error on train", _error("train"), _percent),
    _Row("error on dev", _error("dev"), _percent, min),
    _Row("epochs", lambda each: len(each.run.history), _count),
    _Row("training", _seconds, duration, min, of_data=False),
    _cost("one example, ms", lambda cost: cost.latency_ms, "{:.3g}".format),
    _cost("a batch, ms", lambda cost: cost.batch_ms, "{:.3g}".format),
    _cost("parameters", lambda cost: cost.parameters, _count),
    _cost("multiply-adds", lambda cost: cost.multiply_adds, _count),
    _Row(
        "file, bytes",
        lambda each: each.run.folder.model.stat().st_size,
        _count,
        min,
        of_data=False,
    ),
)


def _results(results: Sequence[Results]) -> Iterator[Markup]:
    answers = [each.answers for each in results if each.answers is not None]
    same = len(answers) == len(results) and all(
        np.array_equal(each.y_true, answers[0].y_true) for each in answers
    )
    rows = [[row.name, *_cells(row, results, same)] for row in _ROWS]
    rows.append(["first problem", *(_problem(each) for each in results)])
    part = answers[0].part if answers else "test"
    head = ["", *(each.name for each in results)]
    yield table(head, rows, f"On the {part} set; ★ is the best", "numbers")
    if same:
        yield _against_best(results, answers)
    else:
        yield note("The runs were not measured on the same examples.")


def _cells(row: _Row, results: Sequence[Results], same: bool) -> Iterator[Content]:
    values = [row.value(each) for each in results]
    known = [value for value in values if not math.isnan(value)]
    comparable = row.best and len(set(known)) > 1 and (same or not row.of_data)
    best = row.best(known) if row.best and comparable else None
    for value in values:
        text = _ABSENT if math.isnan(value) else row.text(value)
        yield tag("span", text, class_="best") if value == best else text


def _problem(each: Results) -> str:
    if each.diagnosis is None:
        return _ABSENT
    return (*each.diagnosis.problems, "none")[0]


def _against_best(results: Sequence[Results], answers: Sequence[Answers]) -> Markup:
    """Say for each run whether the best is better by more than chance."""
    best = min(range(len(answers)), key=lambda i: answers[i].error)
    right = [~each.wrong for each in answers]
    items = []
    for i, each in enumerate(results):
        if i != best:
            won = int((right[best] & ~right[i]).sum())
            lost = int((right[i] & ~right[best]).sum())
            chance = sign_test(won, lost)
            verdict = "more than chance" if chance < 0.05 else "may be chance"
            items.append(
                tag(
                    "li",
                    f"{results[best].name} is right where {each.name} is wrong on "
                    f"{won:,} examples, and wrong where it is right on {lost:,}: ",
                    tag("b", verdict),
                    f" (p = {chance:.2g}).",
                )
            )
    return tag("ul", items, class_="note")


# Settings and curves


def _differences(results: Sequence[Results]) -> Markup:
    found = setting_differences({each.name: _everything(each) for each in results})
    rows = [
        [
            name.replace("_", " "),
            *(in_words(values.get(each.name, _ABSENT)) for each in results),
        ]
        for name, values in found.items()
    ]
    if not rows:
        return note("None: the runs have the same settings.")
    head = ["setting", *(each.name for each in results)]
    return table(head, rows, "All others are the same", "facts")


def _everything(each: Results) -> dict[str, Any]:
    """Return the settings of a run, and the facts about its machine."""
    config, machine = each.run.config, machine_of(each.run.config)
    besides = {name: machine[name] for name in machine if name not in config}
    return {**config, **besides, "machine": None}


def _curves(results: Sequence[Results]) -> Markup:
    """Draw each measure of all runs, on validation data if possible."""
    histories = {each.name: each.run.history for each in results}
    names: dict[str, None] = {}
    for history in histories.values():
        for name in panel_names(history):
            names[f"val_{name}" if f"val_{name}" in history else name] = None
    drawings = []
    for column in names:
        lines = [
            svg.Line(name, history["epoch"], history[column])
            for name, history in histories.items()
            if column in history
        ]
        drawings.append(curve_figure(column, lines))
    return tag("div", drawings, class_="charts")
