"""The kinds of mistakes: the tags of `fastdl errors`, counted."""

from __future__ import annotations

from collections.abc import Iterator

from fastdl.report.page.html import Content, note, table, tag
from fastdl.strategy import ErrorAnalysis


def tags(analysis: ErrorAnalysis) -> Iterator[Content]:
    """Show what each category costs, and what would be left if it were fixed."""
    wrong, examined = int(analysis.wrong.sum()), analysis.examined
    yield tag(
        "p",
        f"The error on the dev set is {analysis.error:.2%}; {examined:,} of its "
        f"{wrong:,} mistakes have tags.",
    )
    rows = [
        [
            each.category,
            f"{each.errors:,}",
            f"{each.share:.1%}",
            f"{each.due:.2%}",
            f"{each.left:.2%}",
        ]
        for each in analysis.ceilings()
        if each.errors
    ]
    head = ["category", "mistakes", "share", "error due to it", "left if fixed"]
    yield table(head, rows, "What each category costs", "numbers")
    if examined < wrong:
        yield note(
            "Estimates, fair ones when the mistakes were looked at in random order."
        )
