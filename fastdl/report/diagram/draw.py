"""A model as a picture: SVG from the standard library alone."""

from __future__ import annotations

from fastdl.errors import ShapeError
from fastdl.nn import Module
from fastdl.nn.module import check_module
from fastdl.report.diagram.graph import TIMES, Box, trace
from fastdl.report.diagram.layout import Point, arrange
from fastdl.report.page.html import Markup, tag
from fastdl.report.style import BLUE, GREY, INK, shortened
from fastdl.shapes import integer
from fastdl.typing import ShapesLike

_GAP, _ROW, _MARGIN = 24, 26, 16  # between boxes, between rows, around all
_LINE = 15  # height of a line
_LETTER, _BOLD = 6.6, 7.6  # width of a letter of 12 px
_LONGEST = 36  # letters of a line
_FILL = {
    "layer": "#EDF4FA",
    "block": "#D6E8F5",
    "operation": "#FFFFFF",
    "input": "#FFF4DC",
    "output": "#FFF4DC",
}


def diagram(
    model: Module, input_shape: ShapesLike | None = None, depth: int | None = None
) -> str:
    """Draw a model as SVG: its layers, and who takes whose output.

    A box says what it is, its name, the shape of its output for one example and its
    parameters; pointing at it shows all of its options. Normalisation, activations and
    dropout stand with the layer before them, and blocks that are alike and stand in a
    row are one box, "BasicBlock x 3". What `forward` computes between layers has a
    small box: "+" for a skip connection. An operation that no gradient passes is not
    seen, nor are the edges through it.

    Parameters
    ----------
    model : Module
        Any module; open sizes are inferred.
    input_shape : sequence of int, or tuple or dict of them, optional
        The shape of one example; by default the one given to `fastdl.nn.Module.build`.
    depth : int, optional
        How deep to look into modules, from 1: their children. By default as deep as
        leaves 30 boxes at most.

    Returns
    -------
    str
        The text of an SVG file.

    Raises
    ------
    ShapeError
        The shape does not fit, or no shape is known.
    ArgumentError
        `model` is no module.
    """
    check_module(model, "diagram")
    shape = model.input_shape if input_shape is None else input_shape
    if shape is None:
        raise ShapeError("diagram: give input_shape, the shape of one example")
    if depth is not None:
        integer(depth, "diagram: depth")
    boxes = trace(model, shape, depth)
    texts = {id(box): _lines(box) for box in boxes}
    widths = [_width(texts[id(box)]) for box in boxes]
    rows = arrange(boxes, widths, _GAP)
    tops, bottom = [], float(_MARGIN)
    heights = []
    for row in rows:
        height = max(_height(texts[id(p.box)]) for p in row if p.box is not None)
        tops.append(bottom)
        heights.append(height)
        bottom += height + _ROW
    left = min(point.x - point.width / 2 for row in rows for point in row) - _MARGIN
    right = max(point.x + point.width / 2 for row in rows for point in row) + _MARGIN
    edges = [
        _edge(upper, lower, tops, heights)
        for row in rows
        for upper in row
        for lower in upper.below
    ]
    drawn = [
        _box(point, texts[id(point.box)], tops[point.row], heights[point.row])
        for row in rows
        for point in row
        if point.box is not None
    ]
    width, height = right - left, bottom - _ROW + _MARGIN
    count = sum(parameter.size for parameter in model.parameters())
    title = f"{type(model).__name__}, {count:,} parameters"
    return tag(
        "svg",
        tag("title", title),
        tag("rect", x=f"{left:.1f}", y=0, width="100%", height="100%", fill="#FFFFFF"),
        tag("g", edges, fill="none", stroke=GREY, stroke_width=1.2),
        drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{left:.1f} 0 {width:.1f} {height:.1f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        font_family="system-ui, sans-serif",
        font_size=12,
        role="img",
    )


def _lines(box: Box) -> list[str]:
    """Return what stands in a box, the first line in bold."""
    if box.kind == "operation":
        return [box.title]
    title = box.title + (f" {TIMES} {box.repeats}" if box.repeats > 1 else "")
    size = TIMES.join(map(str, box.shape)) or "1"
    if box.parameters:
        size += f" · {box.parameters:,} parameters"
    first, *more = title.split(" + ")
    lines = [first, f"+ {' + '.join(more)}"] if more else [first]
    return [
        shortened(line, _LONGEST) for line in (*lines, *filter(None, [box.name]), size)
    ]


def _width(lines: list[str]) -> float:
    first, *others = map(len, lines)
    return max(first * _BOLD, *(length * _LETTER for length in others), 0.0) + 20


def _height(lines: list[str]) -> float:
    return len(lines) * _LINE + 10


def _box(point: Point, lines: list[str], top: float, room: float) -> Markup:
    box = point.box
    assert box is not None
    height = _height(lines)
    top += (room - height) / 2
    is_end = box.kind in ("input", "output", "operation")
    texts = [
        tag(
            "text",
            line,
            x=f"{point.x:.1f}",
            y=f"{top + 5 + _LINE * (number + 0.75):.1f}",
            text_anchor="middle",
            fill=INK if number == 0 else GREY,
            font_weight="600" if number == 0 else None,
        )
        for number, line in enumerate(lines)
    ]
    return tag(
        "g",
        tag("title", f"{box.name} {box.title}".strip()),
        tag(
            "rect",
            x=f"{point.x - point.width / 2:.1f}",
            y=f"{top:.1f}",
            width=f"{point.width:.1f}",
            height=f"{height:.1f}",
            rx=f"{height / 2 if is_end else 4:.1f}",
            fill=_FILL[box.kind],
            stroke=BLUE if box.parameters else GREY,
            stroke_width=2 if box.kind == "block" else 1,
        ),
        texts,
    )


def _edge(
    upper: Point, lower: Point, tops: list[float], heights: list[float]
) -> Markup:
    """Draw a line from one row to the next, through the places of a long edge."""
    start, end = tops[upper.row], tops[lower.row]
    if upper.box is not None:
        start += heights[upper.row] / 2
    else:  # straight through the row
        start += heights[upper.row]
    end += heights[lower.row] / 2 if lower.box is not None else 0
    middle = tops[upper.row] + heights[upper.row] + _ROW / 2
    path = (
        f"M{upper.x:.1f} {start:.1f}V{middle - _ROW / 2:.1f}"
        f"C{upper.x:.1f} {middle:.1f} {lower.x:.1f} {middle:.1f} "
        f"{lower.x:.1f} {middle + _ROW / 2:.1f}V{end:.1f}"
    )
    if lower.box is None:
        path += f"V{tops[lower.row] + heights[lower.row]:.1f}"
    return tag("path", d=path)
