"""Bias, variance, data mismatch or an overfitted dev set, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from fastdl.report.page.html import Content, Markup, table, tag
from fastdl.strategy import Diagnosis, Gap, Remedy
from fastdl.strategy.tables import percent


def diagnosis(found: Diagnosis) -> Iterator[Content]:
    """Show the table of errors, what its gaps mean, and the knobs for each problem."""
    yield tag("p", found.summary(), class_="verdict")
    yield _errors(found)
    if found.notes:
        yield tag("ul", [tag("li", each) for each in found.notes], class_="note")
    if found.remedies:
        yield tag("h4", "Next steps")
        for gap, remedies in groupby(found.remedies, key=lambda each: each.gap):
            yield tag("p", "Against ", tag("b", gap), ":")
            yield tag("ul", [_step(each) for each in remedies], class_="steps")


def _errors(found: Diagnosis) -> Markup:
    gaps = [None, *found.gaps.items()]
    rows = []
    for (name, error), above in zip(found.errors.items(), gaps, strict=True):
        row: list[Content] = [name.replace("_", "-"), percent(error, 3), "", "", ""]
        if above is not None:
            cause, gap = above
            row[2:] = [percent(gap.size, 3), _cause(cause, found), _interval(gap)]
        rows.append(row)
    head = ["set", "error", "gap", "it is", "95 % interval"]
    caption = "Each gap is the distance to the line above"
    return table(head, rows, caption, "numbers errors")


def _interval(gap: Gap) -> str:
    if gap.low is None or gap.high is None:
        return ""
    return f"{percent(gap.low, 3)} to {percent(gap.high, 3)}"


def _cause(gap: str, found: Diagnosis) -> Content:
    cause = found.cause(gap)
    if cause not in found.problems:
        return gap
    place = found.problems.index(cause) + 1
    return tag("span", f"{cause} (problem {place})", class_="problem")


def _step(remedy: Remedy) -> Markup:
    content: list[Content] = [tag("b", remedy.name), ": ", tag("code", remedy.argument)]
    if remedy.command:
        content += [tag("pre", remedy.command, tabindex=0)]
    return tag("li", content)
