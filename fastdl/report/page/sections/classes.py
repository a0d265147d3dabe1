"""Precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl import metrics
from fastdl.report.page.html import Content, Markup, table, tag
from fastdl.report.page.results import Answers


def classes(answers: Answers) -> Iterator[Content]:
    """Name the weakest classes, and show the table."""
    y, answer, names = answers.y_true, answers.probabilities, answers.classes
    measures = (metrics.precision, metrics.recall, metrics.f1)
    columns = [np.asarray(measure(y, answer)) for measure in measures]
    support = np.bincount(y, minlength=len(names))
    weakest = [i for i in np.argsort(columns[2], kind="stable")[:3] if support[i]]
    if weakest and columns[2][weakest[0]] < 1:
        worst = ", ".join(f"{names[i]} ({columns[2][i]:.3f})" for i in weakest)
        yield tag("p", f"Weakest by F1: {worst}.")
    rows = [
        [name, *(_bar(column[i]) for column in columns), f"{support[i]:,}"]
        for i, name in enumerate(names)
    ]
    averages = [float(measure(y, answer, "macro")) for measure in measures]
    rows.append(["mean", *(_bar(value) for value in averages), f"{support.sum():,}"])
    head = ["class", "precision", "recall", "F1", "support"]
    caption = f"Of the answers to the {answers.part} examples"
    yield table(head, rows, caption, "bars numbers last")


def _bar(share: float) -> Markup:
    return tag("span", f"{share:.3f}", class_="share", style=f"--v:{share:.1%}")
