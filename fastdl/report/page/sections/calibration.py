"""Whether an answer with a confidence of 90 % is right in 90 of 100 cases."""

from __future__ import annotations

from collections.abc import Iterator

from fastdl.report.page import svg
from fastdl.report.page.html import Content, tag
from fastdl.report.page.results import Answers


def calibration(answers: Answers) -> Iterator[Content]:
    """Show the reliability diagram, and how often each confidence occurs."""
    bins = answers.calibration
    confidence = float(answers.probabilities.max(axis=1).mean())
    gap = confidence - (1 - answers.error)
    manner = (
        "about as sure as it may be"
        if abs(gap) < 0.01
        else f"{'too sure' if gap > 0 else 'not sure enough'} by {abs(gap):.1%}"
    )
    yield tag(
        "p",
        "Expected calibration error (ECE): ",
        tag("b", f"{bins.error:.2%}"),
        f". On average the answers are {manner}: the mean probability of the class "
        f"answered is {confidence:.1%}, the share of right answers "
        f"{1 - answers.error:.1%}.",
    )
    unit = svg.Axis("probability of the class answered", 0.0, 1.0)
    spans = [
        f"{low:.0%} to {high:.0%}"
        for low, high in zip(bins.edges[:-1], bins.edges[1:], strict=True)
    ]
    reliability = svg.bar_chart(
        bins.accuracy,
        bins.edges,
        unit,
        svg.Axis("share of right answers", 0.0, 1.0),
        f"Reliability diagram; the expected calibration error is {bins.error:.2%}",
        [
            f"given with {span}: {share:.1%} of {count:,.0f} right"
            for span, share, count in zip(
                spans, bins.accuracy, bins.examples, strict=True
            )
        ],
        diagonal=True,
    )
    counts = svg.bar_chart(
        bins.examples,
        bins.edges,
        unit,
        svg.axis("answers", bins.examples, zero=True),
        "How many answers are given with which probability",
        [
            f"{span}: {count:,.0f} answers"
            for span, count in zip(spans, bins.examples, strict=True)
        ],
    )
    yield tag(
        "div",
        svg.figure("share of right answers (dashed: perfect calibration)", reliability),
        svg.figure("number of answers", counts),
        class_="charts",
    )
