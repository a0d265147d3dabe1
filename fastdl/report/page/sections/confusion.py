"""How often each class was mistaken for each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fastdl.report.confusion import cell_strength
from fastdl.report.page import svg
from fastdl.report.page.html import Content, Markup, scrolling, tag
from fastdl.report.page.results import Answers

_MOST_SQUARES = 20  # classes; a larger matrix is drawn without numbers
_MOST_PAIRS = 12  # in the list of the most frequent confusions


def confusion(answers: Answers, prefix: str) -> Iterator[Content]:
    """Show the matrix, its numbers linked to the mistakes."""
    classes = answers.classes
    matrix = answers.matrix
    right, total = int(np.trace(matrix)), int(matrix.sum())
    yield tag(
        "p",
        f"{right:,} of {total:,} {answers.part} examples are right "
        f"({right / total:.2%}). ",
        "Choose a cell off the diagonal to see its mistakes."
        if right < total
        else "There is no mistake.",
    )
    if len(classes) <= _MOST_SQUARES:
        yield _matrix_table(matrix, classes, prefix)
    else:
        yield _matrix_map(matrix, classes)
    if right < total:
        yield tag("h4", "Most frequent confusions")
        yield _frequent(matrix, classes, prefix)


def _matrix_table(matrix: np.ndarray, classes: Sequence[str], prefix: str) -> Markup:
    strength = cell_strength(matrix)
    recall = np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)

    def cell(true: int, answer: int) -> Markup:
        count = int(matrix[true, answer])
        content: Content = f"{count:,}" if count else tag("span", "·", class_="none")
        if count and true != answer:
            content = tag(
                "a",
                f"{count:,}",
                href=f"#{prefix}mistakes",
                data_cell=f"{true}-{answer}",
                aria_label=f"{count:,} of {classes[true]} taken for {classes[answer]}",
            )
        return tag(
            "td",
            content,
            class_="right" if true == answer else "wrong" if count else None,
            style=f"--s:{strength[true, answer]:.2f}" if count else None,
        )

    heads = [
        tag("th", tag("span", name), scope="col", title=name)
        for name in [*classes, "recall"]
    ]
    rows = [
        tag(
            "tr",
            tag("th", tag("span", name), scope="row", title=name),
            [cell(true, answer) for answer in range(len(classes))],
            tag("td", f"{recall[true]:.1%}", class_="share"),
        )
        for true, name in enumerate(classes)
    ]
    long = max(map(len, classes)) > 3
    caption = "Rows: the true class. Columns: the answer."
    return scrolling(
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", tag("td", class_="corner"), heads)),
            tag("tbody", rows),
            class_="confusion long" if long else "confusion",
        ),
        "Confusion matrix",
    )


def _matrix_map(matrix: np.ndarray, classes: Sequence[str]) -> Markup:
    def label(true: int, answer: int) -> str:
        count = f"{matrix[true, answer]:,}"
        if true == answer:
            return f"{classes[true]}: {count} right"
        return f"{classes[true]} taken for {classes[answer]}: {count}"

    title = f"Confusion matrix of {len(classes)} classes; the list below has its peaks"
    drawing = svg.heat_map(cell_strength(matrix), classes, label, title)
    caption = (
        "Rows: the true class, the first on top. Columns: the answer. Blue: right; "
        "vermilion: mistakes."
    )
    return tag("figure", drawing, tag("figcaption", caption), class_="map")


def _frequent(matrix: np.ndarray, classes: Sequence[str], prefix: str) -> Markup:
    wrong = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    rows = matrix.sum(axis=1)
    items = []
    for true, answer in zip(*np.unravel_index(order, wrong.shape), strict=True):
        count = wrong[true, answer]
        if not count:
            break
        link = tag(
            "a",
            tag("b", classes[true]),
            " taken for ",
            tag("b", classes[answer]),
            href=f"#{prefix}mistakes",
            data_cell=f"{true}-{answer}",
        )
        share = f"{count / rows[true]:.1%} of its examples"
        items.append(tag("li", link, tag("span", f"{count:,}, {share}")))
    return tag("ol", items, class_="pairs")
