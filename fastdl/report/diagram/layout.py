"""Where the boxes of a graph stand: in rows, by the longest path from an input.

As Sugiyama, Tagawa, Toda 1981 have it: an edge over several rows gets a point in each,
so that it passes beside the boxes there; each row is sorted by the mean place of its
neighbours, a few times from either side; then each point moves towards them as far as
its row has room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastdl.report.diagram.graph import Box

_SWEEPS = 8


@dataclass(eq=False)
class Point:
    """A box, or a place that an edge passes; `x` is its middle.

    Attributes
    ----------
    box : Box or None
        None for the place of an edge.
    row : int
        From 0, downwards.
    width, x : float
        In the units of the drawing.
    above, below : list of Point
        What it is connected with in the rows beside its own.
    """

    box: Box | None
    row: int
    width: float
    x: float = 0.0
    above: list[Point] = field(default_factory=list)
    below: list[Point] = field(default_factory=list)


def arrange(
    boxes: Sequence[Box], widths: Sequence[float], gap: float
) -> list[list[Point]]:
    """Return the points row by row, from left to right.

    Parameters
    ----------
    boxes : sequence of Box
        Each after its sources.
    widths : sequence of float
        Of the boxes.
    gap : float
        The least distance between two points of a row.
    """
    points: dict[int, Point] = {}
    rows: list[list[Point]] = []

    def add(point: Point) -> Point:
        while len(rows) <= point.row:
            rows.append([])
        rows[point.row].append(point)
        return point

    last = 0
    for box, width in zip(boxes, widths, strict=True):
        depth = max((points[id(source)].row + 1 for source in box.sources), default=0)
        points[id(box)] = Point(box, depth, width)
        last = max(last, depth)
    for point in points.values():
        if point.box is not None and point.box.kind == "output":
            point.row = last
        add(point)
    for box in boxes:
        for source in box.sources:
            upper, end = points[id(source)], points[id(box)]
            while upper.row + 1 < end.row:
                upper = _connect(upper, add(Point(None, upper.row + 1, 0.0)))
            _connect(upper, end)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            _place(row, gap)
            row.sort(key=lambda point: _wanted(point, down))
            _place(row, gap)
    for sweep in range(2 * len(rows)):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            _settle(row, gap)
    return rows


def _connect(upper: Point, lower: Point) -> Point:
    upper.below.append(lower)
    lower.above.append(upper)
    return lower


def _wanted(point: Point, down: bool) -> float:
    """Return the mean place of the neighbours above or below."""
    near = point.above if down else point.below
    return sum(each.x for each in near) / len(near) if near else point.x


def _straight(point: Point) -> float:
    """Return the mean place of neighbours on both sides, of its own kind if it has any.

    So a chain of boxes stands straight, and the edges beside it run straight.
    """
    near = point.above + point.below
    alike = [each for each in near if (each.box is None) == (point.box is None)]
    near = alike or near
    return sum(each.x for each in near) / len(near) if near else point.x


def _place(row: list[Point], gap: float) -> None:
    """Put the points of a row side by side, around 0."""
    total = sum(point.width for point in row) + gap * (len(row) - 1)
    left = -total / 2
    for point in row:
        point.x = left + point.width / 2
        left += point.width + gap


def _settle(row: list[Point], gap: float) -> None:
    """Move points towards their neighbours; those that touch move together."""
    groups: list[tuple[float, list[Point]]] = []  # (the middle, points side by side)
    for point in row:
        wanted, members = _straight(point), [point]
        while groups and wanted - _span(members, gap) / 2 < (
            groups[-1][0] + _span(groups[-1][1], gap) / 2 + gap
        ):
            middle, before = groups.pop()
            count = len(before) + len(members)
            wanted = (middle * len(before) + wanted * len(members)) / count
            members = before + members
        groups.append((wanted, members))
    for middle, members in groups:
        _place(members, gap)
        for point in members:
            point.x += middle


def _span(members: list[Point], gap: float) -> float:
    return sum(point.width for point in members) + gap * (len(members) - 1)
