"""The head of a run: what it is, in a sentence, and its most important numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fastdl import metrics
from fastdl.report.page.html import Content, Markup, tag
from fastdl.report.page.results import Results
from fastdl.report.page.sections.settings import in_words
from fastdl.report.page.text import duration, plural, short


def overview(results: Results) -> Iterator[Content]:
    """Show the numbers that people look for first."""
    run, answers = results.run, results.answers
    yield tag("p", _sentence(results))
    cards = []
    if answers is None:
        yield tag(
            "p",
            "The data of this run are not to be had here, so its answers are left out: "
            "confusion matrix, mistakes, classes, calibration. ",
            tag("span", results.missing),
            class_="alert",
        )
    else:
        right, total = len(answers.y_true) - len(answers.mistakes), len(answers.y_true)
        f1 = metrics.f1(answers.y_true, answers.probabilities, "macro")
        cards += [
            _card(
                f"{answers.part} accuracy",
                f"{right / total:.2%}",
                f"{right:,} of {total:,} right",
            ),
            _card("mean F1", f"{f1:.3f}", f"of {len(answers.classes)} classes"),
            _card(
                "calibration error",
                f"{answers.calibration.error:.2%}",
                "of its probabilities",
            ),
        ]
    cost = results.cost
    work = f"{short(cost.multiply_adds)} multiply-adds"
    cards.append(_card("parameters", f"{cost.parameters:,}", work))
    if results.times_known:
        seconds = sum(run.history["seconds"])
        epochs = plural(len(run.history), "epoch")
        cards.append(_card("training", duration(seconds), epochs))
    yield tag("dl", cards, class_="cards")


def _sentence(results: Results) -> str:
    run = results.run
    config = {"model": "a network", "optimizer": "training", **run.config}
    data = Path(str(config.get("dataset", "unknown data"))).name
    size = "x".join(map(str, run.input_shape))
    parts = [
        f"{config['model']} on {data} ({len(run.classes)} classes of {size})",
        f"{plural(len(run.history), 'epoch')} of {config['optimizer']}",
    ]
    if "lr" in config:
        parts.append(f"learning rate {in_words(config['lr'])}")
    if "batch_size" in config:
        parts.append(f"batches of {config['batch_size']}")
    return ", ".join(parts) + "."


def _card(name: str, value: str, more: str) -> Markup:
    return tag(
        "div",
        tag("dt", name),
        tag("dd", value, class_="value"),
        tag("dd", more, class_="more"),
        class_="card",
    )
