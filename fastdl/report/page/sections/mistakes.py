"""The pictures with wrong answers, the highest loss first."""

from __future__ import annotations

from collections.abc import Iterator

from fastdl.report.page.html import Content, Markup, tag
from fastdl.report.page.results import Answers
from fastdl.report.page.sections.gallery import example, room
from fastdl.report.page.text import percent

_SHOWN_FIRST = 24  # the script shows the others on request


def mistakes(answers: Answers, runs: int) -> Iterator[Content]:
    """Show mistakes, fewer if several runs share the page; `script.js` filters."""
    total = len(answers.mistakes)
    if not total:
        yield tag("p", f"All {len(answers.x):,} {answers.part} examples are right.")
        return
    chosen = answers.spread_mistakes(room(answers.x.shape[1:]) // runs)
    part = (
        f"All {total:,} mistakes are in this page."
        if len(chosen) == total
        else f"{len(chosen):,} of the {total:,} mistakes are in this page, to keep it "
        f"small: of each confusion the worst."
    )
    yield tag(
        "p",
        "The highest loss first. Under a picture: the true class and the answer, the "
        "probability of the answer against that of the true class, and the number of "
        f"the {answers.part} example. ",
        part,
    )
    yield tag("p", role="status", class_="status", tabindex=-1)
    figures = [_mistake(answers, int(index)) for index in chosen]
    yield tag("div", figures, class_="gallery mistakes", data_first=_SHOWN_FIRST)
    yield tag("p", tag("button", "Show all", type="button", hidden=True, class_="all"))


def _mistake(answers: Answers, index: int) -> Markup:
    true, answer = int(answers.y_true[index]), int(answers.y_pred[index])
    chance, of_truth = answers.probabilities[index, [answer, true]]
    return example(
        answers.x[index],
        f"{answers.part} example {index}",
        (answers.classes[true], answers.classes[answer]),
        "taken for",
        (f"{percent(chance)} against {percent(of_truth)}", f"#{index}"),
        data_cell=f"{true}-{answer}",
    )
