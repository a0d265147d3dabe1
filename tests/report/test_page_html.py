"""The builders of pages: names stay text, charts stay in their box."""

import math
import re

import numpy as np
import pytest

from fastdl.report.page import svg
from fastdl.report.page.html import Markup, join, picture, table, tag
from fastdl.report.page.pixels import MOST_PIXELS, shrunk, small_picture
from fastdl.report.page.text import duration, number, percent, short
from fastdl.report.style import signed

EVIL = "<script>alert('1')</script>&\""


def test_text_is_escaped_everywhere():
    escaped = "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;&quot;"
    assert tag("p", EVIL) == f"<p>{escaped}</p>"
    assert tag("p", title=EVIL) == f'<p title="{escaped}"></p>'
    assert join([EVIL, [EVIL]]) == 2 * escaped
    assert EVIL not in table([EVIL], [[EVIL, EVIL]], EVIL)


def test_markup_stays():
    assert tag("p", tag("b", "a"), Markup("<i>"), 3, None) == "<p><b>a</b><i>3</p>"


def test_attributes():
    element = tag("a", class_="x", aria_label="y", hidden=True, id=None, inert=False)
    assert element == '<a class="x" aria-label="y" hidden></a>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_picture_stands_in_the_page():
    element = picture(np.zeros((4, 6, 3), np.uint8), "all black")
    assert element.startswith('<img src="data:image/png;base64,iVBOR')
    assert 'alt="all black" width="6" height="4"' in element


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234567, "0.01235"), (12345.6, "12,346"), (1.5e-5, "1.5e-05"),
     (math.nan, "-"), (math.inf, "∞")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_short_numbers():
    numbers = (0, 0.25, -0.5, 3e-5, 1.25e-7, 1000, 1536, 2398208, 5e9)
    texts = "0 0.25 -0.5 3e-5 1.2e-7 1k 1.536k 2.398M 5G"
    assert " ".join(map(short, numbers)) == texts


def test_percents_and_durations():
    assert [percent(p) for p in (1.0, 0.982, 0.0123, 1e-9, 0.0)] == [
        "100%", "98%", "1.2%", "<0.1%", "0.0%"]  # fmt: skip
    assert [duration(s) for s in (0.2512, 59.94, 200, 7500)] == [
        "0.251 s", "59.9 s", "3 min 20 s", "2 h 5 min"]  # fmt: skip
    assert [duration(float(s)) for s in ("nan", "inf")] == ["nan s", "inf s"]


# Pixels


def test_large_picture_is_shrunk_by_means():
    x = np.zeros((2 * MOST_PIXELS, 3 * MOST_PIXELS, 3), np.uint8)
    x[::3] = 255
    small = small_picture(x)
    assert small.shape == (2 * MOST_PIXELS // 3, MOST_PIXELS, 3)
    assert (small == 85).all()


def test_small_and_thin_pictures_keep_their_size():
    assert small_picture(np.zeros((8, 8, 1), np.float32)).shape == (8, 8)
    assert shrunk(np.zeros((1, 500))).shape == (1, 500)


@pytest.mark.parametrize("shape", [(64,), (8, 8), (8, 8, 2), (0, 8, 3)])
def test_what_is_no_picture(shape):
    assert small_picture(np.zeros(shape, np.float32)) is None


def test_signed_colours():
    colours = signed(np.array([[-0.6, 0.0, 0.6]]), 1.0)
    assert colours.tolist() == [[[213, 94, 0], [255, 255, 255], [0, 114, 178]]]


# Charts


def coordinates(path):
    numbers = [float(n) for n in re.findall(r"[\d.]+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def lines_of(drawing):
    return re.findall(r'<path d="([^"]*)" class="line', drawing)


def test_line_from_corner_to_corner():
    x, y = svg.Axis("epoch", 0, 2), svg.Axis("loss", 0, 1)
    (path,) = lines_of(svg.line_chart([svg.Line("a", [0, 2], [0, 1])], x, y, "t"))
    assert coordinates(path) == [(46, 182), (350, 10)]


def test_gap_where_a_value_is_missing():
    line = svg.Line("a", [1, 2, 3, 4, 5], [1, 2, math.nan, 2, math.inf])
    axis = svg.axis("loss", line.y)
    (path,) = lines_of(svg.line_chart([line], svg.Axis("x", 0, 6), axis, "t"))
    assert re.findall("[A-Za-z]+", path) == ["M", "L", "M"]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0, 10], (-0.5, 10.5)),
        ([5, 5], (4.5, 5.5)),
        ([0], (-1, 1)),
        ([], (-0.05, 1.05)),
    ],
)
def test_an_axis_has_a_margin(values, ends):
    axis = svg.axis("loss", values)
    assert (axis.low, axis.high) == pytest.approx(ends)


@pytest.mark.parametrize(
    "values",
    [[], [math.nan], [0.0], [3.0], [-1.0, -1.0], [1e-12, 1e12], [1e300, -1e300],
     [1e-300], [math.inf, 1.0]],
)  # fmt: skip
@pytest.mark.parametrize("log", [False, True])
def test_any_numbers_make_a_chart(values, log):
    axis = svg.axis("loss", values, log=log)
    line = svg.Line("a", list(range(len(values))), values)
    drawing = svg.line_chart([line], svg.Axis("x", -1, 3), axis, "t")
    assert "nan" not in drawing
    for path in lines_of(drawing):
        assert all(0 <= x <= 360 and 0 <= y <= 220 for x, y in coordinates(path))


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (svg.Axis("", 0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (svg.Axis("", 0.5, 3.5, whole=True), [1, 2, 3]),
        (svg.Axis("", 0.5, 1.5, whole=True), [1]),
        (svg.Axis("", 0.5, 300.5), [100, 200, 300]),
        (svg.Axis("", 1e-4, 1e-1, log=True), [1e-4, 1e-3, 1e-2, 1e-1]),
        (svg.Axis("", 0.9, 11, log=True), [1, 3, 10]),
    ],
)
def test_round_ticks(axis, ticks):
    assert axis.ticks() == pytest.approx(ticks)


def test_long_line_is_thinned_and_keeps_its_end():
    n = 100_000
    line = svg.Line("a", range(1, n + 1), [1 / i for i in range(1, n + 1)])
    x = svg.Axis("epoch", 0, n)
    (path,) = lines_of(svg.line_chart([line], x, svg.Axis("loss", 0, 1), "t"))
    points = coordinates(path)
    assert len(points) <= 402
    assert points[-1] == (350, 182)


def test_every_line_has_its_own_look_and_tooltip():
    lines = [svg.Line(EVIL, [1], [i]) for i in range(36)]
    drawing = svg.line_chart(lines, svg.Axis("x", 0, 2), svg.Axis("y", 0, 40), EVIL)
    looks = re.findall(r'class="line (c\d d\d)"', drawing)
    assert looks[:2] == ["c0 d0", "c1 d1"]
    assert len(set(looks)) == 36
    assert "<script>" not in drawing


def test_bars_leave_out_what_is_not_known():
    unit = svg.Axis("p", 0, 1)
    drawing = svg.bar_chart([0.5, math.nan], [0, 0.5, 1], unit, unit, "t", ["a", "b"])
    assert drawing.count("<rect") == 1
    assert 'height="86.0"' in drawing


def test_heat_map_draws_what_is_there():
    strength = np.array([[1.0, 0.0], [0.25, 0.0]])
    drawing = svg.heat_map(strength, "ab", lambda row, column: f"{row}>{column}", "t")
    assert drawing.count("<rect") == 3  # the field, and two cells
    assert 'data-cell="1-0"' in drawing
    assert "<title>1&gt;0</title>" in drawing
