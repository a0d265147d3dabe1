import math

import numpy as np
import pytest

from fastdl import shapes
from fastdl.reference import (
    adaptive_avg_pool2d_backward,
    adaptive_avg_pool2d_forward,
    avg_pool2d_backward,
    avg_pool2d_forward,
    global_avg_pool2d_backward,
    global_avg_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)

GEOMETRIES = {
    "window 2": {"x": (2, 4, 6, 3), "kernel_size": 2},
    "one pixel": {"x": (1, 1, 1, 1), "kernel_size": 1},
    "rest of the image unused": {"x": (1, 5, 7, 2), "kernel_size": 2},
    "overlapping": {"x": (1, 5, 6, 2), "kernel_size": 3, "stride": 1},
    "stride > window": {"x": (1, 7, 8, 2), "kernel_size": 2, "stride": 3},
    "pairs": {"x": (1, 5, 6, 2), "kernel_size": (3, 2), "stride": (1, 2)},
    "padding": {"x": (1, 5, 5, 2), "kernel_size": 3, "stride": 2, "padding": 1},
    "four paddings": {
        "x": (1, 4, 4, 1),
        "kernel_size": 3,
        "stride": 1,
        "padding": ((2, 0), (1, 2)),
    },
    "same": {"x": (1, 5, 6, 2), "kernel_size": 2, "stride": 2, "padding": "same"},
    "rounded up": {"x": (1, 5, 7, 2), "kernel_size": 2, "ceil_mode": True},
    "rounded up, in the padding": {
        "x": (1, 4, 5, 2),
        "kernel_size": 3,
        "stride": 3,
        "padding": 1,
        "ceil_mode": True,
    },
    "window of 17 x 17": {"x": (1, 18, 18, 1), "kernel_size": 17, "stride": 1},
}


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES)
def case(request, rng):
    options = dict(request.param)
    shape, kernel_size = options.pop("x"), options.pop("kernel_size")
    return rng.standard_normal(shape), kernel_size, options


def windows(x, kernel_size, stride=None, padding=0, ceil_mode=False):
    """Yield each output index, its window clipped to the image, and the geometry."""
    rounding = "ceil" if ceil_mode else "floor"
    s = shapes.pool2d(x.shape, kernel_size, stride, padding, rounding=rounding)
    for n, i, j, k in np.ndindex(s.n, s.oh, s.ow, s.c):
        row, column = i * s.stride_h - s.top, j * s.stride_w - s.left
        rows = slice(max(row, 0), row + s.kh)
        columns = slice(max(column, 0), column + s.kw)
        yield (n, i, j, k), x[n, rows, columns, k], s


def test_max_by_definition(case):
    x, kernel_size, options = case
    y, argmax = max_pool2d_forward(x, kernel_size, **options)
    for index, window, s in windows(x, kernel_size, **options):
        assert y[index] == window.max()
        n, i, j, k = index
        p, q = divmod(int(argmax[index]), s.kw)
        place = (n, i * s.stride_h - s.top + p, j * s.stride_w - s.left + q, k)
        assert x[place] == y[index]


def test_mean_by_definition(case):
    x, kernel_size, options = case
    y = avg_pool2d_forward(x, kernel_size, **options)
    for index, window, s in windows(x, kernel_size, **options):
        _, i, j, _ = index
        bottom = s.top + s.h + s.bottom - s.beyond_h
        right = s.left + s.w + s.right - s.beyond_w
        counts = min(s.kh, bottom - i * s.stride_h) * min(s.kw, right - j * s.stride_w)
        np.testing.assert_allclose(y[index], window.sum() / counts)


def test_mean_of_the_image_alone_by_definition(case):
    x, kernel_size, options = case
    y = avg_pool2d_forward(x, kernel_size, count_include_pad=False, **options)
    for index, window, _ in windows(x, kernel_size, **options):
        np.testing.assert_allclose(y[index], window.mean())


def test_max_backward_by_finite_differences(case, rng, numeric_gradient):
    x, kernel_size, options = case
    y, argmax = max_pool2d_forward(x, kernel_size, **options)
    dy = rng.standard_normal(y.shape)
    dx = max_pool2d_backward(dy, argmax, x.shape, kernel_size, **options)

    def forward(x):
        return max_pool2d_forward(x, kernel_size, **options)[0]

    np.testing.assert_allclose(dx, numeric_gradient(forward, x, dy), atol=1e-9)


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_mean_backward_by_finite_differences(
    case, count_include_pad, rng, numeric_gradient
):
    x, kernel_size, options = case
    options["count_include_pad"] = count_include_pad
    dy = rng.standard_normal(avg_pool2d_forward(x, kernel_size, **options).shape)
    dx = avg_pool2d_backward(dy, x.shape, kernel_size, **options)

    def forward(x):
        return avg_pool2d_forward(x, kernel_size, **options)

    np.testing.assert_allclose(dx, numeric_gradient(forward, x, dy), atol=1e-9)


def test_global_mean_backward_by_finite_differences(rng, numeric_gradient):
    x, dy = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 5))
    dx = global_avg_pool2d_backward(dy, x.shape)
    expected = numeric_gradient(global_avg_pool2d_forward, x, dy)
    np.testing.assert_allclose(dx, expected, atol=1e-9)


def test_options_worked_by_hand():
    """6 pixels, windows of 3 with stride 2 and padding 1: the values of PyTorch."""
    x = np.array([3.0, 6, 9, 12, 18, 24])[None, None, :, None]
    options = {"stride": (1, 2), "padding": (0, 1)}
    y = avg_pool2d_forward(x, (1, 3), **options)
    np.testing.assert_allclose(y.reshape(-1), [3, 9, 18])
    y = avg_pool2d_forward(x, (1, 3), count_include_pad=False, **options)
    np.testing.assert_allclose(y.reshape(-1), [4.5, 9, 18])
    options["ceil_mode"] = True  # a window more: the last pixel and a column of padding
    y = avg_pool2d_forward(x, (1, 3), **options)
    np.testing.assert_allclose(y.reshape(-1), [3, 9, 18, 12])
    y = avg_pool2d_forward(x, (1, 3), count_include_pad=False, **options)
    np.testing.assert_allclose(y.reshape(-1), [4.5, 9, 18, 24])
    y, argmax = max_pool2d_forward(x, (1, 3), **options)
    np.testing.assert_array_equal(y.reshape(-1), [6, 12, 24, 24])
    np.testing.assert_array_equal(argmax.reshape(-1), [2, 2, 2, 0])


def test_a_window_that_would_begin_behind_the_image_is_left_out():
    x = np.ones((1, 1, 6, 1))
    for padding, outputs in (((0, 0), 2), ((0, 1), 2), ((1, 1), 3)):
        y, _ = max_pool2d_forward(
            x, (1, 2), stride=(1, 3), padding=((0, 0), padding), ceil_mode=True
        )
        assert y.shape[2] == outputs, padding


ADAPTIVE = {  # x, output_size
    "uneven": ((2, 5, 7, 3), (3, 2)),
    "dividing": ((1, 4, 6, 2), 2),
    "to one pixel": ((2, 3, 5, 2), 1),
    "larger": ((1, 3, 2, 2), (7, 3)),
    "one side kept": ((1, 5, 4, 2), (None, 3)),
}


@pytest.mark.parametrize("case", ADAPTIVE)
def test_adaptive_mean_by_definition(case, rng):
    shape, output_size = ADAPTIVE[case]
    x = rng.standard_normal(shape)
    y = adaptive_avg_pool2d_forward(x, output_size)
    oh, ow = shapes.adaptive_pool2d(shape, output_size)
    assert y.shape == (shape[0], oh, ow, shape[3])
    for i, j in np.ndindex(oh, ow):
        rows = slice(math.floor(i * shape[1] / oh), math.ceil((i + 1) * shape[1] / oh))
        columns = slice(
            math.floor(j * shape[2] / ow), math.ceil((j + 1) * shape[2] / ow)
        )
        mean = x[:, rows, columns].mean((1, 2))
        np.testing.assert_allclose(y[:, i, j], mean, rtol=1e-12)


@pytest.mark.parametrize("case", ADAPTIVE)
def test_adaptive_mean_backward_by_finite_differences(case, rng, numeric_gradient):
    shape, output_size = ADAPTIVE[case]
    x = rng.standard_normal(shape)

    def forward(x):
        return adaptive_avg_pool2d_forward(x, output_size)

    dy = rng.standard_normal(forward(x).shape)
    dx = adaptive_avg_pool2d_backward(dy, shape, output_size)
    np.testing.assert_allclose(dx, numeric_gradient(forward, x, dy), atol=1e-9)


def test_adaptive_mean_worked_by_hand():
    """Windows of 5 pixels into 3: those from 0 to 1, from 1 to 3, from 3 to 4."""
    x = np.array([0.0, 6, 12, 18, 36])[None, None, :, None]
    y = adaptive_avg_pool2d_forward(x, (1, 3))
    np.testing.assert_allclose(y.reshape(-1), [3, 12, 27])


@pytest.mark.parametrize(("size", "dtype"), [(16, np.uint8), (17, np.int32)])
def test_type_of_argmax(size, dtype):
    """A window of 256 pixels is the last that fits a byte."""
    _, argmax = max_pool2d_forward(np.arange(size**2.0).reshape(1, size, size, 1), size)
    assert argmax.dtype == dtype
    assert argmax.item() == size**2 - 1


def test_first_maximum_wins():
    x = np.array([[1.0, 2], [2, 2]]).reshape(1, 2, 2, 1)
    y, argmax = max_pool2d_forward(x, 2)
    assert y.item() == 2
    assert argmax.item() == 1
    dx = max_pool2d_backward(np.ones((1, 1, 1, 1)), argmax, x.shape, 2)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 1], [0, 0]])


def test_nan_propagates():
    """The gradient goes to the first NaN."""
    x = np.array([[1.0, np.nan], [9, np.nan]]).reshape(1, 2, 2, 1)
    y, argmax = max_pool2d_forward(x, 2)
    assert np.isnan(y.item())
    assert argmax.item() == 1


def test_padding_is_never_the_maximum():
    """Not even when all pixels are -inf: the gradient must stay in the image."""
    x = np.full((1, 2, 2, 1), -np.inf)
    y, argmax = max_pool2d_forward(x, 2, stride=1, padding=1)
    assert np.all(y == -np.inf)
    dx = max_pool2d_backward(np.ones_like(y), argmax, x.shape, 2, stride=1, padding=1)
    assert dx.sum() == y.size


def test_empty_batch():
    x = np.ones((0, 4, 4, 3))
    y, argmax = max_pool2d_forward(x, 2)
    assert y.shape == argmax.shape == (0, 2, 2, 3)
    assert max_pool2d_backward(y, argmax, x.shape, 2).shape == x.shape
    assert avg_pool2d_forward(x, 2).shape == (0, 2, 2, 3)
    assert avg_pool2d_backward(y, x.shape, 2).shape == x.shape
    assert global_avg_pool2d_forward(x).shape == (0, 3)
    assert global_avg_pool2d_backward(np.ones((0, 3)), x.shape).shape == x.shape
    assert adaptive_avg_pool2d_forward(x, 3).shape == (0, 3, 3, 3)
    dy = np.ones((0, 3, 3, 3))
    assert adaptive_avg_pool2d_backward(dy, x.shape, 3).shape == x.shape


def test_s42_worked_pictures():
    """S42: the lecture's pictures, maximum and mean."""
    x = np.array([[1.0, 3, 2, 1], [2, 9, 1, 1], [1, 3, 2, 3], [5, 6, 1, 2]])[
        None, :, :, None
    ]
    y, _ = max_pool2d_forward(x, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[9, 2], [6, 3]])
    y = avg_pool2d_forward(x, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[3.75, 1.25], [3.75, 2]])


def test_s42_window_3_stride_1_per_channel(rng):
    """S42: 5 x 5 x 2 with f 3, s 1 gives 3 x 3 x 2, each channel by itself."""
    first = [
        [1, 3, 2, 1, 3],
        [2, 9, 1, 1, 5],
        [1, 3, 2, 3, 2],
        [8, 3, 5, 1, 0],
        [5, 6, 1, 2, 9],
    ]
    x = rng.standard_normal((1, 5, 5, 2))
    x[0, :, :, 0] = first
    y, _ = max_pool2d_forward(x, 3, stride=1)
    assert y.shape == (1, 3, 3, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[9, 9, 5], [9, 9, 5], [8, 6, 9]])
    second, _ = max_pool2d_forward(x[..., 1:], 3, stride=1)
    np.testing.assert_array_equal(y[..., 1:], second)


def test_s42_global_mean(rng):
    """S42: 7 x 7 x 1000 gives one number a channel."""
    x = rng.standard_normal((2, 7, 7, 1000))
    y = global_avg_pool2d_forward(x)
    assert y.shape == (2, 1000)
    np.testing.assert_allclose(y, avg_pool2d_forward(x, 7)[:, 0, 0], atol=1e-12)
