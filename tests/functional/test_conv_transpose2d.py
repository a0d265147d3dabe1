"""The transposed convolution: values by hand, its definition, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# x, weight (kh, kw, oc / groups, c), options
CASES = {
    "plain": ((2, 3, 4, 3), (3, 3, 2, 3), {}),
    "doubled": ((1, 3, 4, 2), (2, 2, 3, 2), {"stride": 2}),
    "padding": ((1, 4, 3, 2), (3, 3, 2, 2), {"stride": 2, "padding": 1}),
    "output padding": (
        (1, 3, 3, 2),
        (3, 2, 2, 2),
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)},
    ),
    "four paddings": (
        (1, 4, 4, 1),
        (4, 3, 2, 1),
        {"stride": 2, "padding": ((1, 2), (0, 1))},
    ),
    "dilation": ((1, 3, 4, 2), (3, 2, 1, 2), {"dilation": (1, 3), "stride": 2}),
    "groups": ((2, 3, 3, 4), (2, 2, 3, 4), {"groups": 2, "stride": 2}),
    "depthwise": ((1, 3, 3, 4), (4, 4, 1, 4), {"groups": 4, "stride": 2, "padding": 1}),
    "empty batch": ((0, 3, 3, 2), (3, 3, 2, 2), {"stride": 2}),
}


def both(value):
    return value if isinstance(value, tuple) else (value, value)


def spread(x, weight, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Add up the windows of all pixels, one pixel of x and of the filter at a time."""
    stride, dilation, more = both(stride), both(dilation), both(output_padding)
    (top, bottom), (left, right) = map(both, both(padding))
    n, h, w, c = x.shape
    kh, kw, outputs, _ = weight.shape
    height = (h - 1) * stride[0] + dilation[0] * (kh - 1) + 1 + more[0]
    width = (w - 1) * stride[1] + dilation[1] * (kw - 1) + 1 + more[1]
    y = np.zeros((n, height, width, outputs * groups))
    for k in range(c):
        first = k // (c // groups) * outputs
        for i, j, p, q in np.ndindex(h, w, kh, kw):
            row, column = (
                i * stride[0] + p * dilation[0],
                j * stride[1] + q * dilation[1],
            )
            y[:, row, column, first : first + outputs] += np.multiply.outer(
                x[:, i, j, k], weight[p, q, :, k]
            )
    return y[:, top : height - bottom, left : width - right]


@pytest.mark.parametrize("case", CASES)
def test_by_definition(case, rng):
    x_shape, weight_shape, options = CASES[case]
    x, weight = rng.standard_normal(x_shape), rng.standard_normal(weight_shape)
    y = F.conv_transpose2d(x, weight, **options).data
    expected = spread(x, weight, **options)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradients(case, rng, check_gradients):
    x_shape, weight_shape, options = CASES[case]
    arrays = rng.standard_normal(x_shape), rng.standard_normal(weight_shape)
    bias = rng.standard_normal(weight_shape[2] * options.get("groups", 1))

    def function(x, weight, bias):
        return F.conv_transpose2d(x, weight, bias, activation="tanh", **options)

    check_gradients(function, *arrays, bias)


def test_worked_by_hand():
    x = np.array([[1.0, 2], [3, 4]])[None, :, :, None]
    weight = np.array([[1.0, 10], [100, 1000]])[:, :, None, None]
    y = F.conv_transpose2d(x, weight).data[0, :, :, 0]
    expected = [[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]
    np.testing.assert_array_equal(y, expected)
    y = F.conv_transpose2d(x, weight, np.array([0.5]), stride=2).data[0, :, :, 0]
    np.testing.assert_array_equal(y, 0.5 + np.kron(x[0, :, :, 0], weight[:, :, 0, 0]))
    y = F.conv_transpose2d(x, weight, padding="valid").data[0, :, :, 0]
    np.testing.assert_array_equal(y, expected)


def test_is_the_gradient_of_conv2d(rng):
    images = Tensor(rng.standard_normal((2, 7, 6, 3)), requires_grad=True)
    filters, dy = rng.standard_normal((3, 3, 3, 4)), rng.standard_normal((2, 4, 3, 4))
    F.conv2d(images, filters, stride=2, padding=1).backward(dy)
    y = F.conv_transpose2d(dy, filters, stride=2, padding=1, output_padding=(0, 1))
    np.testing.assert_allclose(images.grad, y.data, atol=1e-12)


@pytest.mark.parametrize(
    ("error", "message", "x", "weight", "options"),
    [
        (ShapeError, "expected x of shape", (3, 3, 2), (2, 2, 1, 2), {}),
        (ShapeError, r"\(kh, kw, oc / groups, c\), got", (1, 3, 3, 2), (2, 2, 2), {}),
        (ShapeError, "has 4 channels, but weight", (1, 3, 3, 4), (3, 3, 2, 5), {}),
        (ShapeError, r"use weight.transpose", (1, 3, 3, 4), (4, 2, 3, 3), {}),
        (
            ShapeError,
            "output_padding must be smaller than the stride",
            (1, 3, 3, 2),
            (3, 3, 2, 2),
            {"stride": 2, "output_padding": 2},
        ),
        (
            ShapeError,
            "a result of -1 x -1 would be left",
            (1, 1, 1, 2),
            (3, 3, 2, 2),
            {"padding": 2},
        ),
        (ShapeError, "same", (1, 3, 3, 2), (3, 3, 2, 2), {"padding": "same"}),
        (ShapeError, "groups must divide", (1, 3, 3, 4), (3, 3, 2, 4), {"groups": 3}),
        (
            ArgumentError,
            "unknown activation 'rely'",
            (1, 3, 3, 2),
            (3, 3, 2, 2),
            {"activation": "rely"},
        ),
    ],
)
def test_errors_name_the_operation(error, message, x, weight, options):
    with pytest.raises(error, match=f"conv_transpose2d: .*{message}"):
        F.conv_transpose2d(np.ones(x), np.ones(weight), **options)


def test_two_real_types_do_not_mix():
    x, weight = np.ones((1, 3, 3, 2)), np.ones((2, 2, 3, 2))
    with pytest.raises(DtypeError, match="conv_transpose2d"):
        F.conv_transpose2d(x, weight.astype(np.float32))
    with pytest.raises(DtypeError, match="conv_transpose2d"):
        F.conv_transpose2d(x, weight, np.ones(3, np.float32))
    with pytest.raises(ShapeError, match="conv_transpose2d: expected bias of shape"):
        F.conv_transpose2d(x, weight, np.ones(2))
