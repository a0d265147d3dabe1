import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import shapes
from fastdl.reference import (
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
    sgd_step,
)

GEOMETRIES = {
    "plain": {"x": (2, 5, 6, 3), "w": (3, 2, 3, 4)},
    "one pixel": {"x": (1, 1, 1, 1), "w": (1, 1, 1, 1)},
    "stride": {"x": (2, 6, 7, 2), "w": (3, 3, 2, 2), "stride": 2},
    "stride pair": {"x": (1, 6, 7, 2), "w": (3, 3, 2, 2), "stride": (1, 3)},
    "stride > kernel": {"x": (1, 8, 8, 2), "w": (2, 2, 2, 3), "stride": 3},
    "same": {"x": (1, 5, 6, 2), "w": (3, 3, 2, 2), "padding": "same"},
    "same, even kernel": {"x": (1, 5, 5, 2), "w": (4, 2, 2, 2), "padding": "same"},
    "same, strided": {
        "x": (1, 5, 6, 2),
        "w": (3, 3, 2, 2),
        "padding": "same",
        "stride": 2,
    },
    "padding > kernel / 2": {"x": (1, 2, 3, 2), "w": (3, 3, 2, 2), "padding": 2},
    "padding > kernel": {"x": (1, 2, 2, 1), "w": (2, 2, 1, 2), "padding": 3},
    "padding pair": {"x": (1, 4, 4, 1), "w": (3, 3, 1, 2), "padding": (0, 1)},
    "four paddings": {
        "x": (1, 4, 4, 1),
        "w": (3, 3, 1, 2),
        "padding": ((0, 1), (2, 1)),
    },
    "dilation": {"x": (1, 7, 7, 2), "w": (3, 2, 2, 2), "dilation": (2, 3)},
    "groups": {"x": (2, 4, 4, 6), "w": (3, 3, 3, 4), "groups": 2},
    "depthwise": {"x": (2, 4, 4, 3), "w": (3, 3, 1, 3), "groups": 3, "padding": 1},
    "depthwise, two filters each": {"x": (1, 4, 4, 3), "w": (2, 2, 1, 6), "groups": 3},
    "everything": {
        "x": (2, 7, 6, 4),
        "w": (3, 2, 2, 6),
        "stride": (2, 1),
        "padding": ((1, 2), (0, 3)),
        "dilation": (1, 2),
        "groups": 2,
    },
}


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES)
def case(request, rng):
    options = dict(request.param)
    x = rng.standard_normal(options.pop("x"))
    weight = rng.standard_normal(options.pop("w"))
    return x, weight, options


def by_definition(x, weight, stride=1, padding=0, dilation=1, groups=1):
    """The sum of the equation, one output at a time."""
    s = shapes.conv2d(x.shape, weight.shape, stride, padding, dilation, groups)
    y = np.zeros((s.n, s.oh, s.ow, s.oc))
    group_c, group_oc = s.c // groups, s.oc // groups
    for n, i, j, o in np.ndindex(y.shape):
        for p, q, k in np.ndindex(s.kh, s.kw, group_c):
            row = i * s.stride_h - s.top + p * s.dilation_h
            column = j * s.stride_w - s.left + q * s.dilation_w
            if 0 <= row < s.h and 0 <= column < s.w:
                channel = o // group_oc * group_c + k
                y[n, i, j, o] += x[n, row, column, channel] * weight[p, q, k, o]
    return y


def test_forward_is_the_definition(case):
    x, weight, options = case
    y = conv2d_forward(x, weight, **options)
    np.testing.assert_allclose(y, by_definition(x, weight, **options), atol=1e-12)


def test_backward_input_by_finite_differences(case, rng, numeric_gradient):
    x, weight, options = case
    dy = rng.standard_normal(conv2d_forward(x, weight, **options).shape)
    dx = conv2d_backward_input(dy, weight, x.shape, **options)
    expected = numeric_gradient(lambda x: conv2d_forward(x, weight, **options), x, dy)
    np.testing.assert_allclose(dx, expected, rtol=1e-7, atol=1e-8)


def test_backward_weight_by_finite_differences(case, rng, numeric_gradient):
    x, weight, options = case
    bias = rng.standard_normal(weight.shape[3])
    dy = rng.standard_normal(conv2d_forward(x, weight, **options).shape)
    dweight, dbias = conv2d_backward_weight(dy, x, weight.shape[:2], **options)

    def of_weight(weight):
        return conv2d_forward(x, weight, bias, **options)

    def of_bias(bias):
        return conv2d_forward(x, weight, bias, **options)

    expected = numeric_gradient(of_weight, weight, dy)
    np.testing.assert_allclose(dweight, expected, rtol=1e-7, atol=1e-8)
    expected = numeric_gradient(of_bias, bias, dy)
    np.testing.assert_allclose(dbias, expected, rtol=1e-7, atol=1e-8)


sizes = st.integers(1, 7)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 2), h=sizes, w=sizes, kh=st.integers(1, 3), kw=st.integers(1, 3),
    groups=st.integers(1, 3), group_c=st.integers(1, 3), group_oc=st.integers(1, 3),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    extra=st.tuples(*[st.integers(0, 2)] * 4),
)  # fmt: skip
def test_random_geometry(
    n, h, w, kh, kw, groups, group_c, group_oc, stride, dilation, extra
):
    """Forward by definition; backward is its adjoint, as it is linear in x and w."""
    rng = np.random.default_rng(0)
    missing_h = max(dilation[0] * (kh - 1) + 1 - h, 0)
    missing_w = max(dilation[1] * (kw - 1) + 1 - w, 0)
    padding = ((extra[0] + missing_h, extra[1]), (extra[2] + missing_w, extra[3]))
    options = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    x = rng.standard_normal((n, h, w, groups * group_c))
    weight = rng.standard_normal((kh, kw, group_c, groups * group_oc))

    y = conv2d_forward(x, weight, **options)
    np.testing.assert_allclose(y, by_definition(x, weight, **options), atol=1e-12)
    dy = rng.standard_normal(y.shape)
    dx = conv2d_backward_input(dy, weight, x.shape, **options)
    dweight, _ = conv2d_backward_weight(dy, x, (kh, kw), **options)
    np.testing.assert_allclose(np.sum(dx * x), np.sum(dy * y), atol=1e-10)
    np.testing.assert_allclose(np.sum(dweight * weight), np.sum(dy * y), atol=1e-10)


def test_bias_activation_and_out(rng):
    x, weight = rng.standard_normal((2, 4, 4, 2)), rng.standard_normal((3, 3, 2, 3))
    bias = rng.standard_normal(3)
    out = np.full((2, 2, 2, 3), np.nan)
    assert conv2d_forward(x, weight, bias, activation="relu", out=out) is out
    z = by_definition(x, weight) + bias
    np.testing.assert_allclose(out, np.maximum(z, 0), atol=1e-12)


def test_empty_batch():
    x, weight = np.ones((0, 4, 4, 2)), np.ones((3, 3, 2, 5))
    assert conv2d_forward(x, weight).shape == (0, 2, 2, 5)
    dy = np.ones((0, 2, 2, 5))
    assert conv2d_backward_input(dy, weight, x.shape).shape == (0, 4, 4, 2)
    dweight, dbias = conv2d_backward_weight(dy, x, 3)
    np.testing.assert_array_equal(dweight, np.zeros((3, 3, 2, 5)))
    np.testing.assert_array_equal(dbias, np.zeros(5))


# Worked examples ---------------------------------------------------------------------

VERTICAL = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]], float)
LEFT_BRIGHT = np.repeat([[10.0, 10, 10, 0, 0, 0]], 6, axis=0)


def filtered(image, kernel, **options):
    """Return a grey image convolved with one filter."""
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    y = conv2d_forward(image[None, :, :, None], kernel[:, :, None, None], **options)
    return y[0, :, :, 0]


def test_s38_edge_filter_on_numbers():
    """S38: the 6 x 6 image of numbers and the vertical edge filter."""
    image = [
        [3, 0, 1, 2, 7, 4],
        [1, 5, 8, 9, 3, 1],
        [2, 7, 2, 5, 1, 3],
        [0, 1, 3, 1, 7, 8],
        [4, 2, 1, 6, 2, 8],
        [2, 4, 5, 2, 3, 9],
    ]
    expected = [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]]
    np.testing.assert_array_equal(filtered(image, VERTICAL), expected)


def test_s38_bright_left_half():
    """S38: the image 10 | 0 gives the columns 0 30 30 0; mirrored, -30."""
    np.testing.assert_array_equal(filtered(LEFT_BRIGHT, VERTICAL), [[0, 30, 30, 0]] * 4)
    mirrored = LEFT_BRIGHT[:, ::-1]
    np.testing.assert_array_equal(filtered(mirrored, VERTICAL), [[0, -30, -30, 0]] * 4)


@pytest.mark.parametrize(
    ("name", "column", "response"),
    [("Sobel", [1, 2, 1], 40), ("Scharr", [3, 10, 3], 160)],
)
def test_s38_sobel_and_scharr(name, column, response):
    """S38: weighted edge filters, vertical and (transposed) horizontal."""
    kernel = np.outer(column, [1, 0, -1])
    expected = np.array([[0, response, response, 0]] * 4)
    np.testing.assert_array_equal(filtered(LEFT_BRIGHT, kernel), expected)
    np.testing.assert_array_equal(filtered(LEFT_BRIGHT.T, kernel.T), expected.T)


def test_s38_horizontal_filter_on_checkerboard():
    """S38: two bright quarters, as in the lecture."""
    image = np.kron([[10.0, 0], [0, 10]], np.ones((3, 3)))
    expected = [[0, 0, 0, 0], [30, 10, -10, -30], [30, 10, -10, -30], [0, 0, 0, 0]]
    np.testing.assert_array_equal(filtered(image, VERTICAL.T), expected)


def test_s38_filter_at_45_degrees():
    """S38: a diagonal filter answers most to a diagonal edge, not at all to flat."""
    kernel = [[1, 1, 0], [1, 0, -1], [0, -1, -1]]
    row, column = np.indices((6, 6))
    diagonal = np.where(row + column <= 4, 10.0, 0)
    assert filtered(diagonal, kernel).max() == 30
    assert filtered(LEFT_BRIGHT, kernel).max() == 20
    np.testing.assert_array_equal(filtered(np.full((6, 6), 10.0), kernel), 0)


def test_s38_edge_filter_is_learned(rng):
    """S38: gradient descent from a random filter finds the edge filter."""
    x = rng.standard_normal((8, 6, 6, 1))
    target = conv2d_forward(x, VERTICAL[:, :, None, None])
    weight = rng.standard_normal((3, 3, 1, 1))
    for _ in range(200):
        error = conv2d_forward(x, weight) - target
        grad, _ = conv2d_backward_weight(2 * error / error.size, x, 3)
        sgd_step(weight, grad, None, lr=0.2)
    np.testing.assert_allclose(weight[:, :, 0, 0], VERTICAL, atol=1e-6)


def test_s39_stride_2():
    """S39: a 7 x 7 image, a 3 x 3 filter, stride 2."""
    image = [
        [2, 3, 7, 4, 6, 2, 9],
        [6, 6, 9, 8, 7, 4, 3],
        [3, 4, 8, 3, 8, 9, 7],
        [7, 8, 3, 6, 6, 3, 4],
        [4, 2, 1, 8, 3, 4, 6],
        [3, 2, 4, 1, 9, 8, 3],
        [0, 1, 3, 9, 2, 1, 4],
    ]
    kernel = [[3, 4, 4], [1, 0, 2], [-1, 0, 3]]
    expected = [[91, 100, 88], [69, 91, 117], [44, 72, 74]]
    np.testing.assert_array_equal(filtered(image, kernel, stride=2), expected)


def test_s37_true_convolution_is_the_flipped_filter(rng):
    """S37: on one row, the flipped filter gives what NumPy calls convolution."""
    row, kernel = rng.standard_normal(9), rng.standard_normal(4)
    y = filtered(row[None], kernel[None, ::-1])
    np.testing.assert_allclose(y[0], np.convolve(row, kernel, "valid"))


def test_s37_volume_sums_over_channels(rng):
    """S37: a filter over a volume adds up what it finds in each channel."""
    x, weight = rng.standard_normal((1, 6, 6, 3)), rng.standard_normal((3, 3, 3, 1))
    each = [filtered(x[0, :, :, k], weight[:, :, k, 0]) for k in range(3)]
    np.testing.assert_allclose(conv2d_forward(x, weight)[0, :, :, 0], sum(each))


def test_s40_filters_stack_to_channels(rng):
    """S40: 10 filters 3 x 3 x 3 have 280 parameters and make 10 channels."""
    x = rng.standard_normal((1, 6, 6, 3))
    weight, bias = rng.standard_normal((3, 3, 3, 10)), rng.standard_normal(10)
    assert weight.size + bias.size == 280
    y = conv2d_forward(x, weight, bias)
    assert y.shape == (1, 4, 4, 10)
    one = conv2d_forward(x, weight[..., 7:8], bias[7:8])
    np.testing.assert_allclose(y[..., 7:8], one)
