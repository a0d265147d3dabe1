"""Tables for people, in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(
    rows: Sequence[Sequence[str]], heads: int = 1, remarks: bool = False
) -> list[str]:
    """Return rows of cells as aligned lines, with rules below the heads and at the end.

    The first column is aligned left, the others right.

    Parameters
    ----------
    rows : sequence of sequence of str
        All of the same length.
    heads : int
        How many rows are names of columns.
    remarks : bool
        Whether the last column is text, which is aligned left.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lefts = (0, len(widths) - 1) if remarks else (0,)
    lines = [
        "  ".join(
            cell.ljust(width) if place in lefts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return [*lines[:heads], rule, *lines[heads:], rule]


def percent(fraction: float, digits: int = 4) -> str:
    """Return a fraction as per cent, with at most this many significant digits."""
    rounded = float(f"{100 * fraction:.{digits}g}")
    return f"{rounded:.15g} %"  # 100 %, not 1e+02 %
