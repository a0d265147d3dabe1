"""The labels that are probably wrong, as `fastdl labels` found them."""

from __future__ import annotations

from collections.abc import Iterator

from fastdl.report.page.html import Content, Markup, tag
from fastdl.report.page.sections.gallery import example, room
from fastdl.report.page.text import percent
from fastdl.strategy import LabelReview
from fastdl.strategy.label_review import Suspect
from fastdl.train import Parts

_MOST = 48  # how many of the most suspect to show


def suspects(review: LabelReview, parts: Parts, runs: int) -> Iterator[Content]:
    """Show how many labels are probably wrong, and the most suspect of them."""
    found = review.suspects
    yield tag(
        "p",
        f"{len(found):,} labels are suspect; about {review.noise_rate:.1%} of all are "
        f"wrong, it seems. ",
        _kind(review),
    )
    shown = found[: min(_MOST, room(parts.input_shape) // runs)]
    if not shown:
        return
    more = f" The {len(shown)} most suspect:" if len(shown) < len(found) else ""
    yield tag(
        "p",
        "Under a picture: the label that it has and the one that is suggested, how "
        f"likely the label is wrong, and its place in the data.{more}",
    )
    yield tag(
        "div", [_suspect(each, review, parts) for each in shown], class_="gallery"
    )


def _kind(review: LabelReview) -> str:
    if not review.pairs:
        return "No class is labelled as another more than by chance."
    pairs = [
        f"{review.classes[each.true]} as {review.classes[each.given]} "
        f"({each.share:.0%} of its examples)"
        for each in review.pairs
    ]
    return f"The noise is systematic: {', '.join(pairs)}."


def _suspect(suspect: Suspect, review: LabelReview, parts: Parts) -> Markup:
    return example(
        getattr(parts, suspect.part).x[suspect.index],
        f"{suspect.part} example {suspect.index}",
        (review.classes[suspect.given], review.classes[suspect.suggested]),
        "should perhaps be",
        (percent(suspect.score), f"{suspect.part.replace('_', '-')} #{suspect.index}"),
    )
