"""The time of the training, and the cost of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from fastdl.report.page import svg
from fastdl.report.page.html import Content, Markup, table, tag
from fastdl.report.page.results import Results
from fastdl.report.page.sections.curves import epoch_axis
from fastdl.report.page.sections.settings import machine_of
from fastdl.report.page.text import duration, file_size


def timing(results: Results) -> Iterator[Content]:
    """Show two tables, and the throughput over the epochs."""
    if not results.times_known:
        yield _asking(results)
        return
    history = results.run.history
    speed, epochs = history["examples_per_second"], history["epoch"]
    drawing = svg.line_chart(
        [svg.Line("training", epochs, speed)],
        epoch_axis(epochs),
        svg.axis("examples/s", speed, zero=True),
        f"Throughput of training, {median(speed):,.0f} examples/s in the median",
        "{:,.0f}".format,
    )
    yield tag(
        "div",
        _training(results),
        _asking(results),
        svg.figure("examples/s, training", drawing),
        class_="charts",
    )


def _training(results: Results) -> Markup:
    config, history = results.run.config, results.run.history
    machine = machine_of(config)
    rows = [
        ("all epochs", duration(sum(history["seconds"]))),
        ("an epoch (median)", duration(median(history["seconds"]))),
        ("throughput", f"{median(history['examples_per_second']):,.0f} examples/s"),
        ("threads", config.get("threads", "not known")),
    ]
    for name in ("instruction set", "machine"):
        if name in machine:
            rows.append((name, machine[name]))
    return table(None, rows, "Training, without validation", "facts")


def _asking(results: Results) -> Markup:
    cost = results.cost
    rows = [
        ("one example", _times(cost.latency_ms, cost.latency_p95_ms)),
        (f"a batch of {cost.batch_size}", _times(cost.batch_ms, cost.batch_p95_ms)),
        ("multiply-adds", f"{cost.multiply_adds:,} an example"),
        ("parameters", f"{cost.parameters:,}"),
        ("file", file_size(results.run.folder.model.stat().st_size)),
    ]
    caption = "Asking the network, measured where this page was made"
    return table(None, rows, caption, "facts")


def _times(median_ms: float, p95_ms: float) -> str:
    return f"{median_ms:.3g} ms (95% within {p95_ms:.3g} ms)"
