"""The pictures that are wrong, the highest loss first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fastdl.report.page.html import Markup, picture, tag
from fastdl.report.page.pixels import MOST_PIXELS, small_picture
from fastdl.report.page.results import Answers
from fastdl.report.page.text import percent

_MOST = 240  # in a page
_MOST_BYTES = 1_200_000  # so that of large pictures there are fewer
_SHOWN_FIRST = 24  # the script shows the others when they are asked for


def mistakes(answers: Answers, runs: int) -> Iterator[Any]:
    """Show mistakes, fewer when several runs share the page; `script.js` filters."""
    total = len(answers.mistakes)
    if not total:
        yield tag(
            "p", f"All {len(answers.y_true):,} {answers.part} examples are right."
        )
        return
    chosen = answers.spread_mistakes(_room(answers.x.shape[1:]) // runs)
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
    yield tag(
        "div",
        [_mistake(answers, int(index)) for index in chosen],
        class_="gallery",
        data_first=_SHOWN_FIRST,
    )
    yield tag("p", tag("button", "Show all", type="button", hidden=True, class_="all"))


def _room(shape: tuple[int, ...]) -> int:
    """Return how many pictures a page may hold, at 4/3 bytes for a number."""
    size = math.prod(min(side, MOST_PIXELS) for side in shape)
    return min(_MOST, 3 * _MOST_BYTES // (4 * size))


def _mistake(answers: Answers, index: int) -> Markup:
    classes = answers.classes
    true, answer = int(answers.y_true[index]), int(answers.y_pred[index])
    chances = answers.probabilities[index]
    pixels = small_picture(answers.x[index])
    alt = f"{answers.part} example {index}"
    shown = (
        tag("span", f"example {index}", class_="no-picture")
        if pixels is None
        else picture(pixels, alt, loading="lazy")
    )
    return tag(
        "figure",
        shown,
        tag(
            "figcaption",
            tag("span", classes[true], class_="true"),
            tag("span", "taken for ", class_="hear"),
            tag("span", classes[answer], class_="answer"),
            tag(
                "small", f"{percent(chances[answer])} against {percent(chances[true])}"
            ),
            tag("small", f"#{index}"),
        ),
        data_cell=f"{true}-{answer}",
    )
