"""Layer and group normalisation: compiled against the reference (S17)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import DtypeError, ShapeError

# Rows shorter and longer than vectors, their chains and the parts of their sums; groups
# of one channel to all; images of one part and of several, the last one shorter.
CASES = [
    ((0, 3), 1),
    ((1, 1), 1),
    ((3, 7), 1),
    ((70, 33), 1),
    ((5, 64), 1),
    ((9, 515), 1),
    ((2, 70_001), 1),
    ((3000, 2), 2),
    ((40, 60), 4),
    ((0, 2, 3, 6), 3),
    ((2, 3, 1, 1), 1),
    ((3, 5, 5, 6), 3),
    ((4, 3, 7, 34), 2),
    ((2, 9, 11, 64), 32),
    ((2, 25, 41, 17), 1),
    ((2, 3, 20_000), 5),
]


def operands(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = (2 * rng.standard_normal(shape) + 3).astype(dtype)
    dy = rng.standard_normal(shape).astype(dtype)
    gamma, beta = rng.standard_normal((2, shape[-1])).astype(dtype)
    for array in (x, dy, gamma, beta):
        array.flags.writeable = False
    return x, dy, gamma, beta


def all_results(module, groups, x, dy, gamma, beta):
    y, mean, rstd = module.layernorm_forward(x, gamma, beta, groups=groups, eps=1e-3)
    return (y, mean, rstd, *module.layernorm_backward(dy, x, gamma, mean, rstd))


@pytest.mark.parametrize(("shape", "groups"), CASES, ids=str)
def test_equals_reference(shape, groups, isa, dtype, assert_close):
    arrays = operands(shape, dtype)
    expected = all_results(reference, groups, *arrays)
    terms = max(np.prod(shape[1:]), shape[0])
    assert_close(all_results(kernels, groups, *arrays), expected, terms)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((30_001, 3), 1), ((999, 640), 4), ((9, 12, 12, 64), 8), ((3, 90, 91, 20), 1)],
    ids=str,
)
def test_same_bits_for_threads(shape, groups, dtype, same_bits_for_threads):
    arrays = operands(shape, dtype)
    same_bits_for_threads(lambda: all_results(kernels, groups, *arrays))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 60),
    pixels=st.integers(1, 70),
    groups=st.integers(1, 5),
    size=st.integers(1, 40),
    real=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_random_shapes(n, pixels, groups, size, real, seed):
    shape = (n, pixels, groups * size) if pixels > 1 else (n, groups * size)
    arrays = operands(shape, real, seed)
    actual, expected = (all_results(m, groups, *arrays) for m in (kernels, reference))
    for a, e in zip(actual, expected, strict=True):
        tolerance = 1000 * np.finfo(real).eps
        scale = max(1.0, np.abs(e).max(initial=0))
        np.testing.assert_allclose(a, e, tolerance, scale * tolerance)


@pytest.mark.parametrize("shape", [(3, 4000), (2, 40, 50, 6)], ids=str)
def test_large_mean_and_small_deviation(shape, isa, dtype):
    """The variance is right although the squares of x would have no digit of it."""
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x = x + dtype.type(1 / np.finfo(dtype).eps / 100)
    exact = x.astype(np.longdouble).reshape(shape[0], -1)
    ones = np.ones(shape[-1], dtype)
    y, mean, rstd = kernels.layernorm_forward(x, ones, 0 * ones, eps=0.0)
    np.testing.assert_allclose(mean[:, 0], exact.mean(1), rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(rstd[:, 0], 1 / exact.std(1), rtol=1e-3)
    np.testing.assert_allclose(y.reshape(shape[0], -1).std(1), 1, rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "groups"), [((7, 6), 1), ((7, 6), 2), ((2, 3, 2, 6), 3)], ids=str
)
def test_gradients_are_finite_differences(shape, groups, isa, numeric_gradient):
    x, dy, gamma, beta = (a.copy() for a in operands(shape, np.float64))

    def forward():
        return kernels.layernorm_forward(x, gamma, beta, groups=groups)[0]

    _, mean, rstd = kernels.layernorm_forward(x, gamma, beta, groups=groups)
    gradients = kernels.layernorm_backward(dy, x, gamma, mean, rstd)
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = numeric_gradient(forward, array, dy)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(5, 34), (5, 3, 34)], ids=str)
def test_nan_stays_in_its_group(shape, isa, dtype):
    x, _, gamma, beta = (a.copy() for a in operands(shape, dtype))
    x[2, ..., 20] = np.nan
    y, *_ = kernels.layernorm_forward(x, gamma, beta, groups=2)
    expected = np.zeros(shape, bool)
    expected[2, ..., 17:] = True
    np.testing.assert_array_equal(np.isnan(y), expected)


@pytest.mark.parametrize("shape", [(40, 26), (40, 3, 26)], ids=str)
def test_views_give_the_result_of_their_copies(shape, dtype):
    views = [a[..., ::2] for a in operands(shape, dtype)]
    copies = [a.copy() for a in views]
    for a, e in zip(
        all_results(kernels, 1, *views), all_results(kernels, 1, *copies), strict=True
    ):
        np.testing.assert_array_equal(a, e)


def test_wrong_arguments():
    x, c = np.zeros((4, 6), np.float32), np.ones(6, np.float32)
    forward, backward = kernels.layernorm_forward, kernels.layernorm_backward
    with pytest.raises(DtypeError, match="layernorm_forward: gamma is float64 but x"):
        forward(x, np.ones(6), c)
    with pytest.raises(DtypeError, match="x is int64"):
        forward(np.zeros((4, 6), int), c, c)
    with pytest.raises(ShapeError, match=r"expected beta of shape \(6,\), got \(4,\)"):
        forward(x, c, np.ones(4, np.float32))
    for wrong in (x[0], x[:, :0], x[:, None][:, :0]):
        with pytest.raises(ShapeError, match=r"expected x of shape \(n, ..., c\)"):
            forward(wrong, c, c)
    with pytest.raises(ShapeError, match="divisible by the 4 groups"):
        forward(x, c, c, groups=4)
    with pytest.raises(ShapeError, match="num_groups must be an integer >= 1, got 0"):
        forward(x, c, c, groups=0)
    _, mean, rstd = forward(x, c, c, groups=2)
    with pytest.raises(ShapeError, match="layernorm_backward: expected dy of shape"):
        backward(x[:3], x, c, mean, rstd)
    with pytest.raises(ShapeError, match="expected gamma of shape"):
        backward(x, x, c[:3], mean, rstd)
    with pytest.raises(ShapeError, match=r"expected mean of shape \(4, 2\)"):
        backward(x, x, c, mean[:3], rstd)
    with pytest.raises(ShapeError, match="expected rstd of shape"):
        backward(x, x, c, mean, rstd[:, :1])
    with pytest.raises(ShapeError, match="expected mean of shape"):
        backward(x, x, c, mean[:, 0], rstd)
