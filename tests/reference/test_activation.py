import math

import numpy as np
import pytest

from fastdl.errors import ArgumentError
from fastdl.reference import activation_backward, activation_forward
from fastdl.shapes import ACTIVATIONS

# g(-4), g(-1), g(0), g(2), g(8) by hand or from the C library
VALUES = {
    "identity": [-4, -1, 0, 2, 8],
    "relu": [0, 0, 0, 2, 8],
    "leaky_relu": [-0.04, -0.01, 0, 2, 8],
    "sigmoid": [1 / (1 + math.exp(-x)) for x in (-4, -1, 0, 2, 8)],
    "tanh": [math.tanh(x) for x in (-4, -1, 0, 2, 8)],
    "silu": [x / (1 + math.exp(-x)) for x in (-4, -1, 0, 2, 8)],
    "relu6": [0, 0, 0, 2, 6],
    "hard_swish": [0, -1 / 3, 0, 5 / 3, 8],
    "gelu": [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in (-4, -1, 0, 2, 8)],
    "elu": [math.expm1(-4), math.expm1(-1), 0, 2, 8],
    "softplus": [math.log1p(math.exp(x)) for x in (-4, -1, 0, 2, 8)],
}


def test_every_kind_has_values():
    assert list(VALUES) == list(ACTIVATIONS)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_values(kind):
    """S03."""
    x = np.array([-4.0, -1, 0, 2, 8])
    np.testing.assert_allclose(activation_forward(x, kind), VALUES[kind], rtol=1e-12)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_derivative_by_finite_differences(kind, rng, numeric_gradient):
    """S03: exact derivatives; 0.05 away from every corner."""
    x = np.array([-8.0, -3.05, -2.95, -1, -0.05, 0.05, 1, 2.95, 3.05, 5.95, 6.05, 9])
    dy = rng.standard_normal(x.shape)
    y = activation_forward(x, kind)
    expected = numeric_gradient(lambda x: activation_forward(x, kind), x, dy)
    dx = activation_backward(dy, x, y, kind)
    np.testing.assert_allclose(dx, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_derivative_needs_x_or_y_only(kind, rng):
    x, dy = rng.standard_normal(20), rng.standard_normal(20)
    y = activation_forward(x, kind)
    expected = activation_backward(dy, x, y, kind)
    x, y = (x, None) if ACTIVATIONS[kind].derivative == "x" else (None, y)
    np.testing.assert_array_equal(activation_backward(dy, x, y, kind), expected)


def test_slope(rng, numeric_gradient):
    """A negative slope folds: then the sign of x decides, not that of y."""
    x, dy = rng.standard_normal(20), rng.standard_normal(20)
    y = activation_forward(x, "leaky_relu", parameter=-0.5)
    np.testing.assert_array_equal(y, np.where(x > 0, x, -0.5 * x))
    dx = activation_backward(dy, x, y, "leaky_relu", parameter=-0.5)
    np.testing.assert_array_equal(dx, np.where(x > 0, dy, -0.5 * dy))


@pytest.mark.parametrize(
    ("kind", "at_corners"),
    [("relu", {0: 0}), ("relu6", {0: 0, 6: 0}), ("leaky_relu", {0: 0.01}),
     ("hard_swish", {-3: 0, 3: 1})],
)  # fmt: skip
def test_derivative_at_corners(kind, at_corners):
    x = np.array(list(at_corners), float)
    dx = activation_backward(np.ones_like(x), x, activation_forward(x, kind), kind)
    np.testing.assert_array_equal(dx, list(at_corners.values()))


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("size", [1e4, 1e300])
def test_large_arguments_do_not_overflow(kind, size):
    x = np.array([-size, size])
    y = activation_forward(x, kind)
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(activation_backward(np.ones(2), x, y, kind)))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_nan_propagates(kind):
    assert np.isnan(activation_forward(np.array([np.nan]), kind)).all()


def test_small_tails_keep_their_digits():
    """Sigmoid, SiLU and GELU far left of 0, where 1 - (almost 1) would lose them."""
    x = np.array([-30.0])
    np.testing.assert_allclose(
        activation_forward(x, "sigmoid"), math.exp(-30), rtol=1e-12
    )
    tail = -30 * math.erfc(30 / math.sqrt(2)) / 2
    np.testing.assert_allclose(activation_forward(x, "gelu"), tail, rtol=1e-12)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_array_without_axes(kind):
    """NumPy makes scalars of them, which cannot be written in place."""
    x = np.array(0.5, np.float32)
    y = activation_forward(x, kind)
    dx = activation_backward(x, x, y, kind)
    for result in (y, dx):
        assert isinstance(result, np.ndarray)
        assert (result.shape, result.dtype) == ((), np.float32)


def test_unknown_kind():
    with pytest.raises(ArgumentError, match="'rellu'; did you mean 'relu'"):
        activation_forward(np.ones(3), "rellu")
    with pytest.raises(ArgumentError, match="'rellu'; did you mean 'relu'"):
        activation_backward(np.ones(3), np.ones(3), np.ones(3), "rellu")


def test_gelu_at_its_ends():
    x = np.array([-np.inf, -1e30, 1e30, np.inf, np.nan])
    y = activation_forward(x, "gelu")
    np.testing.assert_array_equal(y, [0, 0, 1e30, np.inf, np.nan])
    dx = activation_backward(np.ones(5), x, y, "gelu")
    np.testing.assert_array_equal(dx, [0, 0, 1, 1, np.nan])
