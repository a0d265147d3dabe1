"""Upsampling: compiled against the reference."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import DtypeError, ShapeError

BILINEAR = {"mode": "bilinear"}
CORNERS = {"mode": "bilinear", "align_corners": True}
CASES = {
    "nearest, 1 channel": ((2, 9, 11, 1), {"scale_factor": 2}),
    "nearest, 3 channels": ((1, 5, 7, 3), {"size": (12, 9)}),
    "nearest, 64 channels": ((2, 6, 5, 64), {"scale_factor": 2}),
    "nearest, 3 times": ((1, 4, 5, 17), {"scale_factor": 3}),
    "nearest, smaller": ((2, 20, 17, 5), {"size": (7, 5)}),
    "bilinear, 1 channel": ((2, 9, 11, 1), {"scale_factor": 2, **BILINEAR}),
    "bilinear, 3 channels": ((1, 6, 5, 3), {"scale_factor": 4, **BILINEAR}),
    "bilinear, 17 channels": ((2, 5, 8, 17), {"size": (11, 13), **BILINEAR}),
    "bilinear, 130 channels": ((1, 7, 4, 130), {"scale_factor": 2, **BILINEAR}),
    "bilinear, fractional": ((2, 5, 6, 9), {"scale_factor": (1.7, 2.4), **BILINEAR}),
    "bilinear, smaller": ((1, 40, 33, 6), {"size": (3, 4), **BILINEAR}),
    "bilinear, one pixel": ((2, 1, 1, 20), {"size": (9, 30), **BILINEAR}),
    "corners, 8 channels": ((1, 6, 9, 8), {"size": (16, 17), **CORNERS}),
    "corners, to one pixel": ((1, 6, 9, 8), {"size": 1, **CORNERS}),
    "empty batch": ((0, 3, 3, 2), {"scale_factor": 2, **BILINEAR}),
    "many rows of one pixel": ((1, 2, 3, 4), {"size": (50, 90), **BILINEAR}),
    "several tasks": ((3, 33, 40, 24), {"scale_factor": 2, **BILINEAR}),
}


def operands(shape, options, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    dy = rng.standard_normal(reference.upsample_forward(x, **options).shape)
    dy = dy.astype(dtype)
    x.flags.writeable = dy.flags.writeable = False
    return x, dy


def both_passes(module, x, dy, options):
    return (
        module.upsample_forward(x, **options),
        module.upsample_backward(dy, x.shape, **options),
    )


@pytest.mark.parametrize("case", CASES)
def test_equals_reference(case, isa, dtype, assert_close, same_bits_for_threads):
    shape, options = CASES[case]
    x, dy = operands(shape, options, dtype)
    compiled = partial(both_passes, kernels, x, dy, options)
    assert_close(compiled(), both_passes(reference, x, dy, options), 64)
    same_bits_for_threads(compiled)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*(st.integers(i, 12) for i in (0, 1, 1, 1))),
    size=st.one_of(
        st.builds(dict, size=st.tuples(st.integers(1, 40), st.integers(1, 40))),
        st.builds(dict, scale_factor=st.floats(1, 4)),
    ),
    options=st.sampled_from([{}, BILINEAR, CORNERS]),
    real=st.sampled_from(["float32", "float64"]),
)
def test_random_sizes(shape, size, options, real):
    options = size | options
    x, dy = operands(shape, options, real)
    for a, e in zip(
        both_passes(kernels, x, dy, options),
        both_passes(reference, x, dy, options),
        strict=True,
    ):
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        tolerance = 100 * np.finfo(real).eps
        scale = np.abs(e).max(initial=1)
        np.testing.assert_allclose(a, e, tolerance, scale * tolerance)


def test_nearest_copies(isa, dtype):
    """Bit for bit, also what is no number."""
    x = np.array([0.1, np.inf, np.nan, -3], dtype).reshape(1, 2, 2, 1)
    y = kernels.upsample_forward(x, scale_factor=2)
    np.testing.assert_array_equal(y, x.repeat(2, 1).repeat(2, 2))


def test_no_pixel_without_a_share_is_read(isa, dtype):
    x = np.array([1, 2, np.nan], dtype).reshape(1, 1, 3, 1)
    y = kernels.upsample_forward(x, (1, 5), **CORNERS)
    np.testing.assert_array_equal(y.reshape(-1), [1, 1.5, 2, np.nan, np.nan])


@pytest.mark.parametrize("options", [{}, BILINEAR, CORNERS], ids=str)
def test_gradients_are_finite_differences(options, isa, numeric_gradient):
    options = {"size": (7, 5), **options}
    x, dy = operands((2, 3, 4, 5), options, np.float64)
    x = x.copy()
    gradient = kernels.upsample_backward(dy, x.shape, **options)
    numeric = numeric_gradient(lambda: kernels.upsample_forward(x, **options), x, dy)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_views_give_the_result_of_their_copies(dtype):
    options = {"scale_factor": 2, **BILINEAR}
    x, dy = operands((4, 5, 6, 12), options, dtype)
    x, dy = x[::2, :, :, ::3], dy[::2, :, :, ::3]
    views = both_passes(kernels, x, dy, options)
    copies = both_passes(kernels, x.copy(), dy.copy(), options)
    for a, e in zip(views, copies, strict=True):
        np.testing.assert_array_equal(a, e)


def test_wrong_arguments():
    x = np.zeros((2, 3, 3, 4), np.float32)
    with pytest.raises(DtypeError, match="upsample: x is uint8"):
        kernels.upsample_forward(x.astype(np.uint8), 6)
    with pytest.raises(ShapeError, match="upsample: expected x of shape"):
        kernels.upsample_forward(x[0], 6)
    with pytest.raises(ShapeError, match=r"expected dy of shape \(2, 6, 6, 4\)"):
        kernels.upsample_backward(x, x.shape, 6)
