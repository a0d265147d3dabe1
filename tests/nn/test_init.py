"""Initial weights: variances, fans, seeds."""

import math

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn, random
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn import init

DENSE = (400, 300)
FILTERS = (3, 5, 64, 32)  # fan_in 960, fan_out 480


@pytest.mark.parametrize("form", ["normal", "uniform"])
@pytest.mark.parametrize(
    ("name", "shape", "variance"),
    [
        ("he", DENSE, 2 / 400),
        ("he", FILTERS, 2 / 960),
        ("xavier", DENSE, 1 / 400),
        ("xavier", FILTERS, 1 / 960),
        ("lecun", DENSE, 1 / 400),
        ("glorot", DENSE, 2 / 700),
        ("glorot", FILTERS, 2 / 1440),
    ],
)
def test_variance(name, form, shape, variance):
    """S08: 2 / n_in, 1 / n_in and 2 / (n_in + n_out)."""
    draw = getattr(init, f"{name}_{form}")
    weight = draw(shape, rng=np.random.default_rng(1))
    assert weight.shape == shape
    assert weight.dtype == np.float32
    assert np.var(weight, dtype=np.float64) == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean()) < 4 * math.sqrt(variance / weight.size)
    if form == "uniform":
        assert np.abs(weight).max() <= math.sqrt(3 * variance) * 1.0001


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "glorot_normal"])
def test_custom_gain_multiplies_the_weights(name):
    """S08"""
    draw = getattr(init, name)
    one = draw(DENSE, gain=1.0, rng=np.random.default_rng(2))
    five = draw(DENSE, gain=5.0, rng=np.random.default_rng(2))
    np.testing.assert_allclose(five, 5 * one, rtol=1e-6, atol=1e-6)


def test_normal_and_uniform():
    weight = init.normal((200, 200), std=3.0, mean=10.0)
    assert weight.mean() == pytest.approx(10, abs=0.1)
    assert weight.std() == pytest.approx(3, rel=0.03)
    weight = init.uniform((200, 200), -1.0, 5.0)
    assert weight.min() >= -1
    assert weight.max() <= 5
    assert weight.mean() == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (3, 3, 4, 10), (1, 1, 4, 9)])
def test_orthogonal(shape):
    """S08: a rotation keeps lengths; the gain multiplies them."""
    weight = init.orthogonal(shape, gain=2.0, rng=np.random.default_rng(3))
    assert weight.shape == shape
    assert weight.dtype == np.float32
    matrix = weight.reshape(-1, shape[-1]) / 2
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-6)


def test_orthogonal_keeps_the_length_through_50_linear_layers():
    """S08"""
    x = start = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)
    with no_grad():
        for _ in range(50):
            x = nn.Linear(64, 64, bias=False, weight_init="orthogonal")(x).numpy()
    lengths = np.linalg.norm(x, axis=1) / np.linalg.norm(start, axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-4)


@pytest.mark.parametrize(
    ("activation", "method", "gain"),
    [
        ("relu", "he_normal", math.sqrt(2)),
        ("gelu", "he_normal", math.sqrt(2)),
        ("elu", "he_normal", math.sqrt(2)),
        ("softplus", "glorot_normal", 1),
        ("leaky_relu", "he_normal", math.sqrt(2 / 1.0001)),
        ("tanh", "xavier_normal", 1),
        ("sigmoid", "glorot_normal", 1),
        (None, "glorot_normal", 1),
    ],
)
def test_by_the_activation_that_follows(activation, method, gain):
    """S08: 2 / n_in before ReLU, 1 / n_in before tanh."""
    assert init.for_activation(activation) == method
    assert init.gain(activation) == pytest.approx(gain)


def test_gain_of_a_slope():
    assert init.gain("leaky_relu", 1.0) == pytest.approx(1)


def test_layers_take_the_name_of_a_method():
    """S08"""
    layer = nn.Linear(400, 300, weight_init="glorot_normal")
    assert layer.weight.data.var() == pytest.approx(2 / 700, rel=0.05)
    layer = nn.Conv2d(None, 64, 5, weight_init="lecun_normal")
    layer.build((8, 8, 32))
    assert layer.weight.data.var() == pytest.approx(1 / 800, rel=0.05)
    assert not nn.Linear(3, 3, weight_init="zeros").weight.data.any()


def test_names_that_do_not_exist():
    with pytest.raises(ArgumentError, match="no method 'he_noraml'; did you mean"):
        nn.Linear(3, 3, weight_init="he_noraml")
    with pytest.raises(ArgumentError, match="gain: unknown activation 'rleu'"):
        init.gain("rleu")


def test_zeros_and_constant():
    assert not init.zeros((3,)).any()
    assert (init.constant((2, 3), 0.25) == 0.25).all()


def test_the_librarys_seed_fixes_the_weights():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    random.seed(5)
    first, second = init.he_normal(DENSE), init.he_normal(DENSE)
    random.seed(5)
    assert np.array_equal(init.he_normal(DENSE), first)
    assert not np.array_equal(first, second)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_vector_has_no_fans():
    with pytest.raises(
        ShapeError, match=r"init: a weight has 2 axes .* got shape \(5,\)"
    ):
        init.he_normal((5,))


@pytest.mark.parametrize("scale", [1.5, 0.5])
def test_linear_net_explodes_or_vanishes(scale):
    """S08: W = 1.5 I multiplies a signal by 1.5^(L-1), 0.5 I by 0.5^(L-1)."""
    layers = []
    for _ in range(50 - 1):
        layer = nn.Linear(3, 3, bias=False)
        layer.weight.data[...] = scale * np.eye(3)
        layers.append(layer)
    model = nn.Sequential(*layers).astype(np.float64)
    y = model(np.ones((1, 3)))
    np.testing.assert_allclose(y.numpy(), scale ** (50 - 1), rtol=1e-12)


def test_he_keeps_relu_variance_flat():
    """S08: over 50 layers of ReLU the activations keep their size.

    The draws of all layers together let it drift by some percent a layer at random; 1 /
    fan_in instead loses half the variance in each.
    """
    for method, low, high in [
        ("he_normal", 0.3, 3),
        ("he_uniform", 0.3, 3),
        ("xavier_normal", 2**-51, 2**-46),
    ]:
        random.seed(0)
        x = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
        sizes = []
        with no_grad():
            for _ in range(50):
                layer = nn.Linear(256, 256, weight_init=method)
                x = F.relu(layer(x)).numpy()
                sizes.append(float((x.astype(np.float64) ** 2).mean()))
        assert low < sizes[-1] / sizes[0] < high, method
