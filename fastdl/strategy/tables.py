"""Tables for people, in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as aligned lines, with a rule below the first and the last.

    The first column stands to the left, the others to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        ).rstrip()
        for first, *others in rows
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return [lines[0], rule, *lines[1:], rule]


def percent(fraction: float, digits: int = 4) -> str:
    """Return a fraction as per cent, with so many significant digits at most."""
    return f"{100 * fraction:.{digits}g} %"
