"""How long the training took, and how fast it went."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from fastdl.report.page import svg
from fastdl.report.page.html import table, tag
from fastdl.report.page.sections.curves import epoch_axis
from fastdl.report.page.sections.settings import machine_of
from fastdl.report.page.text import duration
from fastdl.train import FinishedRun


def timing(run: FinishedRun) -> Iterator[Any]:
    """Show the throughput over the epochs, and what it comes to."""
    history, config = run.history, run.config
    seconds, speed = history["seconds"], history["examples_per_second"]
    rows = [
        ("training", duration(sum(seconds))),
        ("epochs", f"{len(history):,}"),
        ("an epoch (median)", duration(median(seconds))),
        ("throughput (median)", f"{median(speed):,.0f} examples/s"),
        ("threads", config.get("threads", "not known")),
    ]
    machine = machine_of(config)
    rows += [
        (name, machine[name])
        for name in ("instruction set", "machine")
        if name in machine
    ]
    epochs = history["epoch"]
    drawing = svg.line_chart(
        [svg.Line("training", epochs, speed)],
        epoch_axis(epochs),
        svg.axis("examples/s", speed, zero=True),
        f"Throughput of training, {median(speed):,.0f} examples/s in the median",
        lambda value: f"{value:,.0f}",
    )
    yield tag(
        "div",
        table(["", ""], rows, "Training alone, without validation", "facts"),
        svg.figure("examples/s", drawing),
        class_="charts",
    )
