"""What was run: settings, versions, machine, network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastdl.report.page.html import Content, table, tag
from fastdl.strategy.settings import flat_settings
from fastdl.train import FinishedRun

_ELSEWHERE = ("classes", "input_shape", "machine")  # shown elsewhere
_MOST_NAMES = 20  # of a list


def settings(run: FinishedRun) -> Iterator[Content]:
    """Show all settings, the machine, and the layers of the network."""
    machine = machine_of(run.config)
    rows = [
        (name.replace("_", " "), in_words(value))
        for name, value in flat_settings(run.config).items()
        if name.split(".")[0] not in (*_ELSEWHERE, *machine)
    ]
    rows.append(("input", "x".join(map(str, run.input_shape))))
    rows.append((f"{len(run.classes)} classes", in_words(list(run.classes))))
    tables = [table(None, rows, "Settings; all others are the usual ones", "facts")]
    if machine:
        pairs = [(name, in_words(value)) for name, value in machine.items()]
        tables.append(table(None, pairs, "Where it was trained", "facts"))
    yield tag("div", tables, class_="charts")
    network = tag("pre", run.model.summary(run.input_shape), tabindex=0)
    yield tag("details", tag("summary", "The network, layer by layer"), network)


def machine_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the machine of a run; nothing for runs of older versions."""
    machine = config.get("machine")
    return machine if isinstance(machine, dict) else {}


def in_words(value: object) -> str:
    """Return a setting as people would write it."""
    if isinstance(value, list):
        more = [f"... ({len(value)})"] if len(value) > _MOST_NAMES else []
        return ", ".join([*map(in_words, value[:_MOST_NAMES]), *more])
    return f"{value:g}" if isinstance(value, float) else str(value)
