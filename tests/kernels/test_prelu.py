"""PReLU: compiled against the reference."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import DtypeError, ShapeError

# x, weights
CASES = {
    "one slope": ((3, 70, 9), 1),
    "one number": ((), 1),
    "one channel": ((50, 1), 1),
    "3 channels": ((2, 9, 11, 3), 3),
    "a short last row": ((21, 7), 7),
    "whole vectors": ((40, 64), 64),
    "17 channels": ((2, 8, 9, 17), 17),
    "127 channels": ((9, 127), 127),
    "130 channels": ((7, 9, 130), 130),
    "many channels": ((3, 20_000), 20_000),
    "several tasks": ((5, 40, 40, 24), 24),
    "several tasks of one slope": ((100_003,), 1),
    "empty batch": ((0, 4, 5), 5),
}


def operands(shape, channels, dtype):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    x, dy = np.asarray(x), np.asarray(dy)
    weight = rng.standard_normal(channels).astype(dtype)
    x.flags.writeable = dy.flags.writeable = weight.flags.writeable = False
    return dy, x, weight


def both_passes(module, dy, x, weight):
    return (module.prelu_forward(x, weight), *module.prelu_backward(dy, x, weight))


@pytest.mark.parametrize("case", CASES)
def test_equals_reference(case, isa, dtype, assert_close, same_bits_for_threads):
    shape, channels = CASES[case]
    arrays = operands(shape, channels, dtype)
    compiled = partial(both_passes, kernels, *arrays)
    assert_close(compiled(), both_passes(reference, *arrays), int(np.prod(shape)))
    same_bits_for_threads(compiled)


@settings(max_examples=60, deadline=None)
@given(
    lead=st.lists(st.integers(0, 12), max_size=3),
    channels=st.integers(1, 140),
    shared=st.booleans(),
    real=st.sampled_from(["float32", "float64"]),
)
def test_random_shapes(lead, channels, shared, real):
    arrays = operands((*lead, channels), 1 if shared else channels, real)
    tolerance = 200 * np.finfo(real).eps
    for a, e in zip(
        both_passes(kernels, *arrays), both_passes(reference, *arrays), strict=True
    ):
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        scale = np.abs(e).max(initial=1)
        np.testing.assert_allclose(a, e, tolerance, scale * tolerance)


@pytest.mark.parametrize("channels", [1, 5])
def test_gradients_are_finite_differences(channels, isa, numeric_gradient):
    dy, x, weight = (a.copy() for a in operands((3, 7, 5), channels, np.float64))
    gradients = kernels.prelu_backward(dy, x, weight)
    for array, gradient in zip((x, weight), gradients, strict=True):
        numeric = numeric_gradient(lambda: kernels.prelu_forward(x, weight), array, dy)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_nan_is_not_hidden(isa, dtype):
    x = np.ones((2, 18), dtype)
    x[1, 3] = np.nan
    weight = np.full(18, 0.5, dtype)
    y = kernels.prelu_forward(x, weight)
    dx, dweight = kernels.prelu_backward(np.ones_like(x), x, weight)
    assert np.flatnonzero(np.isnan(y)) == 21
    assert np.flatnonzero(np.isnan(dweight)) == 3
    assert np.isfinite(dx).all()


def test_views_give_the_result_of_their_copies(dtype):
    views = [a[..., ::2] for a in operands((40, 3, 26), 26, dtype)]
    copies = [a.copy() for a in views]
    for a, e in zip(
        both_passes(kernels, *views), both_passes(kernels, *copies), strict=True
    ):
        np.testing.assert_array_equal(a, e)


def test_wrong_arguments():
    x, weight = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    with pytest.raises(DtypeError, match="prelu: x is int64"):
        kernels.prelu_forward(x.astype(int), weight)
    with pytest.raises(DtypeError, match="prelu: weight is float64 but x"):
        kernels.prelu_forward(x, weight.astype(float))
    for wrong in (weight[:2], weight[:0], weight[:, None], weight[0, ...]):
        with pytest.raises(ShapeError, match=r"prelu: expected weight of shape \(1,\)"):
            kernels.prelu_forward(x, wrong)
    with pytest.raises(ShapeError, match="prelu: expected weight"):
        kernels.prelu_forward(x[:, :0], weight[:0])
    with pytest.raises(ShapeError, match="prelu_backward: expected dy of shape"):
        kernels.prelu_backward(x[:1], x, weight)
