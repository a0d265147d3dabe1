import math

import numpy as np
import pytest

from fastdl.errors import ArgumentError, ShapeError
from fastdl.reference import upsample_backward, upsample_forward

CASES = {
    "nearest, doubled": ((2, 3, 4, 2), {"scale_factor": 2}),
    "nearest, uneven": ((1, 3, 4, 2), {"size": (7, 5)}),
    "nearest, smaller": ((1, 7, 5, 1), {"size": (3, 2)}),
    "bilinear, doubled": ((2, 3, 4, 2), {"scale_factor": 2, "mode": "bilinear"}),
    "bilinear, fractional": (
        (1, 5, 3, 2),
        {"scale_factor": (1.5, 2.3), "mode": "bilinear"},
    ),
    "bilinear, smaller": ((1, 7, 5, 2), {"size": 3, "mode": "bilinear"}),
    "bilinear, one pixel": ((1, 1, 3, 2), {"size": (4, 1), "mode": "bilinear"}),
    "corners": (
        (1, 3, 4, 2),
        {"size": (7, 9), "mode": "bilinear", "align_corners": True},
    ),
    "corners, one pixel": (
        (1, 3, 4, 2),
        {"size": (1, 6), "mode": "bilinear", "align_corners": True},
    ),
}


def place_of(i, size, output, scale, corners):
    """Return where pixel i of an axis lies in the input."""
    if corners:
        return i * (size - 1) / max(output - 1, 1)
    step = 1 / scale if scale else size / output
    return max((i + 0.5) * step - 0.5, 0)


@pytest.mark.parametrize("case", CASES)
def test_by_definition(case, rng):
    shape, options = CASES[case]
    x = rng.standard_normal(shape)
    y = upsample_forward(x, **options)
    _, h, w, _ = shape
    scale = options.get("scale_factor")
    scales = scale if isinstance(scale, tuple) else (scale, scale)
    for i, j in np.ndindex(y.shape[1:3]):
        expected = 0
        if options.get("mode") != "bilinear":
            expected = x[:, i * h // y.shape[1], j * w // y.shape[2]]
        else:
            corners = options.get("align_corners", False)
            u = place_of(i, h, y.shape[1], scales[0], corners)
            v = place_of(j, w, y.shape[2], scales[1], corners)
            for p, q in np.ndindex(2, 2):
                row = min(math.floor(u) + p, h - 1)
                column = min(math.floor(v) + q, w - 1)
                share = abs(1 - p - u % 1) * abs(1 - q - v % 1)
                expected = expected + share * x[:, row, column]
        np.testing.assert_allclose(y[:, i, j], expected, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_backward_by_finite_differences(case, rng, numeric_gradient):
    shape, options = CASES[case]
    x = rng.standard_normal(shape)
    dy = rng.standard_normal(upsample_forward(x, **options).shape)
    dx = upsample_backward(dy, shape, **options)
    numeric = numeric_gradient(lambda x: upsample_forward(x, **options), x, dy)
    np.testing.assert_allclose(dx, numeric, atol=1e-9)


def test_worked_by_hand():
    """Doubled: the shares are 3/4 and 1/4, and the border is repeated."""
    x = np.array([0.0, 4, 8])[None, None, :, None]
    y = upsample_forward(x, scale_factor=(1, 2))
    np.testing.assert_array_equal(y.reshape(-1), [0, 0, 4, 4, 8, 8])
    y = upsample_forward(x, scale_factor=(1, 2), mode="bilinear")
    np.testing.assert_array_equal(y.reshape(-1), [0, 1, 3, 5, 7, 8])
    y = upsample_forward(x, (1, 5), mode="bilinear", align_corners=True)
    np.testing.assert_array_equal(y.reshape(-1), [0, 2, 4, 6, 8])


def test_sizes_are_rounded_down():
    x = np.zeros((1, 5, 3, 1))
    assert upsample_forward(x, scale_factor=1.5).shape == (1, 7, 4, 1)
    assert upsample_forward(x, scale_factor=(0.4, 1)).shape == (1, 2, 3, 1)
    with pytest.raises(ShapeError, match="nothing is left of images of 5 x 3 pixels"):
        upsample_forward(x, scale_factor=0.3)


def test_empty_batch():
    x = np.ones((0, 4, 4, 3))
    assert upsample_forward(x, 6).shape == (0, 6, 6, 3)
    assert upsample_backward(np.ones((0, 6, 6, 3)), x.shape, 6).shape == x.shape


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (ArgumentError, "give either size or scale_factor", {}),
        (ArgumentError, "give either", {"size": 2, "scale_factor": 2}),
        (ArgumentError, "unknown mode 'bilinar'.*bilinear", {"mode": "bilinar"}),
        (ArgumentError, "align_corners is an option of", {"align_corners": True}),
        (ShapeError, "upsample: size must be an integer >= 1", {"size": 0}),
        (ShapeError, "scale_factor must be a positive number", {"scale_factor": -1}),
        (ShapeError, "or a pair of them, got", {"scale_factor": (2, 2, 2)}),
        (ShapeError, "the result", {"scale_factor": 1e300}),
    ],
)
def test_wrong_arguments(error, message, options):
    if not {"size", "scale_factor"} & set(options) and "give" not in message:
        options = {"size": 2, **options}
    with pytest.raises(error, match=message):
        upsample_forward(np.ones((1, 2, 2, 1)), **options)
