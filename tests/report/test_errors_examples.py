"""Pictures, signals and rows of tables for the page of mistakes (S29)."""

import io

import numpy as np
import pytest
from PIL import Image

from fastdl.report.errors.examples import _LARGEST, SMALL, Examples


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def ramp(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "dtype", "kind"),
    [
        ((3, 8, 8, 1), np.float32, "picture"),
        ((3, 8, 8, 3), np.uint8, "picture"),
        ((3, 8, 8), np.uint8, "picture"),
        ((3, 28, 28), np.float32, "picture"),
        ((3, 100, 2), np.float32, "signal"),
        ((3, 100), np.float32, "signal"),
        ((3, 10), np.float32, "table"),
        ((3, 10), np.uint8, "table"),
        ((3,), np.int64, "table"),
        ((3, 2, 2, 2, 20), np.float32, "signal"),
        ((3, 0), np.float32, "table"),
    ],
)
def test_kinds(shape, dtype, kind):
    examples = Examples(np.zeros(shape, dtype))
    assert examples.kind == kind
    if kind == "picture":
        assert decoded(examples.sheet([0, 1])).shape[0] == shape[1]
    else:
        examples.values(0)


def test_named_columns_make_a_table():
    names = [f"column {i}" for i in range(100)]
    examples = Examples(np.zeros((3, 100)), names)
    assert examples.kind == "table"
    assert examples.describe()["columns"] == names


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_has_the_pictures_in_order(channels):
    x = ramp(20, 6, 5, channels)
    indices = [3, 19, 0, 7, 8, 9, 10, 11, 2]
    sheet = decoded(Examples(x).sheet(indices))
    sheet = sheet.reshape(12, 40, channels)
    for place, index in enumerate(indices):
        row, column = divmod(place, 8)
        tile = sheet[6 * row : 6 * row + 6, 5 * column : 5 * column + 5]
        np.testing.assert_array_equal(tile, x[index])
    assert not sheet[6:, 5:].any()


def test_one_picture():
    x = ramp(4, 30, 20, 3)
    np.testing.assert_array_equal(decoded(Examples(x).picture(2)), x[2])
    np.testing.assert_array_equal(decoded(Examples(x[..., 0]).picture(2)), x[2, ..., 0])


def test_a_huge_picture_is_shown_smaller():
    x = np.zeros((1, 3, 2 * _LARGEST + 1, 1), np.uint8)
    assert decoded(Examples(x).picture(0)).shape == (1, -(-(2 * _LARGEST + 1) // 3))


def test_numbers_as_grey():
    x = ramp(2, 4, 4, 1)
    np.testing.assert_array_equal(
        decoded(Examples((x / 255).astype(np.float32)).picture(1)), x[1, ..., 0]
    )
    outside = np.array([[[[-1.0], [0.0]], [[1.0], [np.nan]]]])
    assert decoded(Examples(outside).picture(0)).tolist() == [[0, 128], [255, 0]]
    constant = np.full((1, 2, 2, 1), 7.0)
    assert not decoded(Examples(constant).picture(0)).any()
    nothing = np.full((1, 2, 2, 1), np.nan)
    assert not decoded(Examples(nothing).picture(0)).any()


def test_other_channels():
    x = ramp(2, 4, 4, 4)
    np.testing.assert_array_equal(decoded(Examples(x).picture(0)), x[0, ..., :3])
    mean = x[0, ..., :2].mean(axis=-1)
    np.testing.assert_allclose(decoded(Examples(x[..., :2]).picture(0)), mean, atol=1)


def test_large_pictures_become_small_in_sheets():
    x = np.zeros((2, 200, 301, 1), np.uint8)
    x[1, :, 150:] = 255
    examples = Examples(x)
    height, width = examples.describe()["size"]
    assert max(height, width) <= SMALL
    assert (height, width) == (50, 76)  # of 4 x 4 pixels, the last column of one
    sheet = decoded(examples.sheet([0, 1]))
    assert sheet.shape == (height, 8 * width)
    right = sheet[:, width : 2 * width]
    assert (right[:, :37] == 0).all()
    assert (right[:, 38:] == 255).all()
    assert (right[:, 37] == 128).all()
    assert decoded(examples.picture(1)).shape == (200, 301)


def test_lines_keep_every_peak():
    signal = np.zeros((1, 5000))
    signal[0, 1234] = 9
    signal[0, 4321] = -9
    signal[0, 10] = np.nan
    values = Examples(signal).values(0)
    assert values["length"] == 5000
    (line,) = values["lines"]
    assert len(line) <= 120
    assert [1234, 9] in line
    assert [4321, -9] in line
    assert [place for place, _ in line] == sorted({place for place, _ in line})
    short = Examples(np.arange(150.0).reshape(1, 50, 3)).values(0)
    assert len(short["lines"]) == 3
    assert short["lines"][1][:2] == [[0, 1], [1, 4]]


def test_rows_say_how_far_from_the_mean():
    x = np.array([[1.0, 5, np.nan], [3.0, 5, 2], [np.inf, 5, 4]])
    examples = Examples(x)
    assert examples.values(0) == {"values": [1, 5, None], "away": [-1, 0, None]}
    assert examples.values(2)["away"] == [None, 0, 1]
