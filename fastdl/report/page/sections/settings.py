"""What was run: settings, versions, machine, network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from fastdl.data import Augment
from fastdl.report.page.html import table, tag
from fastdl.train import FinishedRun

_ELSEWHERE = ("classes", "input_shape", "machine")  # told otherwise
_MOST_NAMES = 30  # of classes


def settings(run: FinishedRun) -> Iterator[Any]:
    """Show all settings, the machine, and the layers of the network."""
    machine = machine_of(run.config)
    rows = [
        (name.replace("_", " "), in_words(value))
        for name, value in without_repetition(run.config).items()
        if value is not None and name not in _ELSEWHERE
    ]
    rows.append(("input", "x".join(map(str, run.input_shape))))
    names = ", ".join(run.classes[:_MOST_NAMES])
    more = ", ..." if len(run.classes) > _MOST_NAMES else ""
    rows.append((f"{len(run.classes)} classes", names + more))
    tables = [table(None, rows, "Settings; all others are the usual ones", "facts")]
    if machine:
        pairs = [(name, in_words(value)) for name, value in machine.items()]
        tables.append(table(None, pairs, "Where it was trained", "facts"))
    yield tag("div", tables, class_="charts")
    network = tag("pre", run.model.summary(run.input_shape), tabindex=0)
    yield tag("details", tag("summary", "The network, layer by layer"), network)


def without_repetition(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those that the machine tells too."""
    machine = machine_of(config)
    return {name: value for name, value in config.items() if name not in machine}


def machine_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what computed; nothing of runs of older versions."""
    machine = config.get("machine")
    return machine if isinstance(machine, dict) else {}


def in_words(value: Any) -> str:
    """Return a setting for people."""
    if isinstance(value, dict):
        usual = asdict(Augment())
        own = {k: v for k, v in value.items() if k not in usual or usual[k] != v}
        return ", ".join(f"{k} {in_words(v)}" for k, v in own.items()) or "nothing"
    if isinstance(value, list):
        return ", ".join(map(in_words, value))
    if value is None:
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
