"""What is not known yet about a run, and the commands to find out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from fastdl.report.page.html import Content, tag
from fastdl.report.page.results import Results


def more(results: Results) -> Iterator[Content]:
    """Show the commands; nothing if everything is known."""
    run = shlex.quote(str(results.run.folder.path))
    ideas = [
        (results.tagged, "Which mistakes are worth an afternoon?", f"errors {run}"),
        (results.review, "Which labels are wrong?", f"labels {run}"),
        (
            results.data_curve,
            "Would more data help?",
            f"diagnose {run} --data-curve",
        ),
    ]
    items = [
        tag("li", question, tag("pre", f"fastdl {command}", tabindex=0))
        for known, question, command in ideas
        if known is None
    ]
    if items:
        yield tag("ul", items, class_="steps")
