"""Initial weights: variances, fans, seeds."""

import math

import numpy as np
import pytest

from fastdl import nn, random
from fastdl.autograd import no_grad
from fastdl.errors import ShapeError
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
    """S08: over 50 layers of ReLU the activations keep their size."""
    random.seed(0)
    layers = [nn.Sequential(nn.Linear(256, 256), nn.ReLU()) for _ in range(50)]
    x = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    sizes = []
    with no_grad():
        for layer in layers:
            x = layer(x).numpy()
            sizes.append(float((x.astype(np.float64) ** 2).mean()))
    assert 0.3 < sizes[-1] / sizes[0] < 3
