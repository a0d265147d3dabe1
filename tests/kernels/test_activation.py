"""Activations: compiled against the reference (S03)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference, shapes
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# Around the lanes of every vector (2 to 16), and several spans of several threads.
SIZES = [0, 1, 2, 3, 5, 8, 9, 16, 17, 31, 33, 64, 40_001]


def parameter(kind):
    """Return a parameter that is not the usual one, where there is one."""
    return 0.3 if shapes.ACTIVATIONS[kind].parameter else None


def operands(n, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, dy = (3 * rng.standard_normal((2, n))).astype(dtype)
    for array in (x, dy):
        array.flags.writeable = False
    return x, dy


@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
def test_equals_reference(kind, isa, dtype, assert_close):
    for n in SIZES:
        if kind == "gelu" and n > 1000:  # the reference calls math.erfc
            n = 1001
        x, dy = operands(n, dtype)
        for p in {None, parameter(kind)}:
            y = reference.activation_forward(x, kind, parameter=p)
            assert_close(kernels.activation_forward(x, kind, parameter=p), y)
            assert_close(
                kernels.activation_backward(dy, x, y, kind, parameter=p),
                reference.activation_backward(dy, x, y, kind, parameter=p),
            )


@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
def test_same_bits_for_threads(kind, dtype, same_bits_for_threads):
    x, dy = operands(100_003, dtype)
    y = kernels.activation_forward(x, kind)
    same_bits_for_threads(lambda: kernels.activation_forward(x, kind))
    same_bits_for_threads(lambda: kernels.activation_backward(dy, x, y, kind))


def everywhere(dtype):
    """Numbers of every size and sign, with the special ones."""
    info = np.finfo(dtype)
    sizes = np.geomspace(info.smallest_subnormal, info.max / 2, 3000, dtype=dtype)
    linear = np.linspace(0, 800, 20_001, dtype=dtype)
    special = [0, info.tiny, info.eps, info.max, np.inf, np.nan]
    x = np.concatenate([sizes, linear, np.array(special, dtype)])
    return np.concatenate([x, -x])


def errors_in_ulp(actual, exact):
    """Return the distance in units in the last place of the rounded exact values.

    Zero is right for what is too small to be a normal number.
    """
    rounded = exact.astype(actual.dtype)
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    same |= (actual == 0) & (np.abs(rounded) < np.finfo(actual.dtype).tiny)
    with np.errstate(invalid="ignore"):
        unit = np.spacing(np.abs(rounded)).astype(np.longdouble)
        return np.where(same, 0, np.abs(actual - exact) / unit)


# sigmoid shows exp over its whole range, down to the smallest normal results.
@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
def test_accurate_over_the_whole_range(kind, isa, dtype):
    x = everywhere(dtype)
    wide = x.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        exact = np.tanh(wide) if kind == "tanh" else 1 / (1 + np.exp(-wide))
    assert errors_in_ulp(kernels.activation_forward(x, kind), exact).max() < 3


def test_gelu_is_accurate(isa, dtype):
    """As good as libm's erfc: on the left the rounding of x^2 is amplified."""
    x = np.linspace(-6, 8, 2001, dtype=dtype)
    exact = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
    errors = errors_in_ulp(kernels.activation_forward(x, "gelu"), exact)
    assert errors[x > -1].max() < 8
    assert errors.max() < 128


def test_the_tail_of_gelu(isa, dtype):
    """Right, but for the rounding of x^2, as long as it is a normal number; then 0."""
    last = 12.9 if dtype == np.float32 else 37.4
    x = -np.linspace(6, last, 300, dtype=dtype)
    exact = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
    y = kernels.activation_forward(x, "gelu")
    np.testing.assert_allclose(y, exact, last**2 * np.finfo(dtype).eps)
    far = -np.array([1.2 * last, 1e30, np.inf], dtype)
    assert not kernels.activation_forward(far, "gelu").any()
    dy = np.ones(3, dtype)
    assert not kernels.activation_backward(dy, far, None, "gelu").any()
    for x in (far, -far):
        expected = reference.activation_forward(x, "gelu")
        np.testing.assert_array_equal(kernels.activation_forward(x, "gelu"), expected)
    np.testing.assert_array_equal(kernels.activation_forward(-far, "gelu"), -far)
    np.testing.assert_array_equal(
        kernels.activation_backward(dy, -far, None, "gelu"), dy
    )


@pytest.mark.parametrize("kind", ["elu", "softplus"])
def test_small_results_keep_their_digits(kind, isa, dtype):
    """Near 0 and far on the left, where exp(x) - 1 and log(1 + exp(x)) lose them."""
    x = -np.geomspace(1e-30, 80, 500, dtype=dtype)
    wide = x.astype(np.longdouble)
    exact = np.expm1(wide) if kind == "elu" else np.log1p(np.exp(wide))
    y = kernels.activation_forward(x, kind)
    assert errors_in_ulp(y, exact).max() < 4
    if kind == "softplus":  # from y, its derivative does too
        slope = kernels.activation_backward(np.ones_like(x), None, y, kind)
        assert errors_in_ulp(slope, 1 / (1 + np.exp(-wide))).max() < 8


@pytest.mark.parametrize("extra", [-1, 0, 3])
@pytest.mark.parametrize("kind", ["relu", "silu"])
def test_results_past_the_cache(kind, extra, isa, dtype):
    """Large results are written another way, with the same bits."""
    block, _ = operands(9973, dtype)
    n = 2**24 // np.dtype(dtype).itemsize + extra
    x = np.resize(block, n)
    expected = np.resize(kernels.activation_forward(block, kind), n)
    np.testing.assert_array_equal(kernels.activation_forward(x, kind), expected)
    source = (x, None) if kind == "silu" else (None, x)
    dx = kernels.activation_backward(x, *source, kind)
    short = [None if each is None else block for each in source]
    block = kernels.activation_backward(block, *short, kind)
    np.testing.assert_array_equal(dx, np.resize(block, n))


@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
def test_nan_is_not_hidden(kind, isa, dtype):
    x = np.full(21, np.nan, dtype)
    assert np.isnan(kernels.activation_forward(x, kind)).all()


@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
def test_gradients_are_finite_differences(kind, isa, numeric_gradient):
    x = np.linspace(-7.03, 7.01, 41)  # not at the kinks
    dy = np.random.default_rng(0).standard_normal(x.shape)
    for p in {None, parameter(kind)}:
        y = kernels.activation_forward(x, kind, parameter=p)
        dx = kernels.activation_backward(dy, x, y, kind, parameter=p)
        numeric = numeric_gradient(
            lambda p=p: kernels.activation_forward(x, kind, parameter=p), x, dy
        )
        np.testing.assert_allclose(dx, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
def test_backward_takes_only_what_it_needs(kind, isa, dtype):
    x, dy = operands(50, dtype)
    y = kernels.activation_forward(x, kind)
    both = kernels.activation_backward(dy, x, y, kind)
    needed = shapes.ACTIVATIONS[kind].derivative
    one = (x, None) if needed == "x" else (None, y)
    np.testing.assert_array_equal(kernels.activation_backward(dy, *one, kind), both)
    if needed != "dy":
        with pytest.raises(ArgumentError, match=f"{kind} needs {needed}"):
            kernels.activation_backward(dy, *one[::-1], kind)


def test_leaky_relu_of_negative_slope_looks_at_x(isa, dtype, assert_close):
    x, dy = operands(50, dtype)
    y = reference.activation_forward(x, "leaky_relu", parameter=-0.5)
    assert_close(
        kernels.activation_backward(dy, x, y, "leaky_relu", parameter=-0.5),
        reference.activation_backward(dy, x, y, "leaky_relu", parameter=-0.5),
    )
    with pytest.raises(ArgumentError, match="leaky_relu needs x"):
        kernels.activation_backward(dy, None, y, "leaky_relu", parameter=-0.5)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(0, 9), max_size=4),
    kind=st.sampled_from(list(shapes.ACTIVATIONS)),
    real=st.sampled_from(["float32", "float64"]),
)
def test_random_shapes(shape, kind, real):
    x, dy = (a.reshape(shape) for a in operands(math.prod(shape), real))
    y = reference.activation_forward(x, kind)
    tolerance = 50 * np.finfo(real).eps
    for actual, expected in (
        (kernels.activation_forward(x, kind), y),
        (
            kernels.activation_backward(dy, x, y, kind),
            reference.activation_backward(dy, x, y, kind),
        ),
    ):
        assert actual.shape == tuple(shape)
        np.testing.assert_allclose(actual, expected, tolerance, tolerance)


def test_views_give_the_result_of_their_copies(dtype):
    x, dy = operands(600, dtype)
    x, dy = x.reshape(20, 30)[::2, ::-3], dy.reshape(20, 30)[::2, ::-3]
    y = kernels.activation_forward(x, "silu")
    np.testing.assert_array_equal(y, kernels.activation_forward(x.copy(), "silu"))
    np.testing.assert_array_equal(
        kernels.activation_backward(dy, x, None, "silu"),
        kernels.activation_backward(dy.copy(), x.copy(), None, "silu"),
    )


def test_wrong_arguments():
    x = np.ones(3, np.float32)
    with pytest.raises(ArgumentError, match="did you mean 'sigmoid'"):
        kernels.activation_forward(x, "sigmoyd")
    with pytest.raises(DtypeError, match=r"activation: x is int64"):
        kernels.activation_forward(np.arange(3), "relu")
    with pytest.raises(DtypeError, match="y is float64"):
        kernels.activation_backward(x, None, np.ones(3), "relu")
    with pytest.raises(ShapeError, match=r"expected x of shape \(3,\), got \(4,\)"):
        kernels.activation_backward(x, np.ones(4, np.float32), None, "gelu")
