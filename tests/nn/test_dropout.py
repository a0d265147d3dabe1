"""The dropout layers."""

import numpy as np
import pytest

from fastdl import nn, random
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError

X = np.ones((100, 200), np.float32)


def test_scales_what_it_keeps():
    """S21: inverted dropout."""
    y = nn.Dropout(0.2)(X).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.8)}
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.02)
    assert y.mean() == pytest.approx(1, abs=0.02)


def test_backward_uses_the_same_mask():
    """S21"""
    x = Tensor(X, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.numpy())


def test_evaluation_is_the_identity():
    """S21"""
    layer = nn.Dropout(0.5).eval()
    state = layer.state_dict()
    np.testing.assert_array_equal(layer(X).numpy(), X)
    np.testing.assert_array_equal(layer.random_state, state["random_state"])


def test_every_step_has_a_new_mask_and_a_seed_fixes_all():
    """S21"""

    def run():
        random.seed(3)
        layers = nn.Dropout(0.5), nn.Dropout(0.5)
        return [layer(X).numpy() for layer in layers for _ in range(3)]

    first, second = run(), run()
    for i in range(6):
        np.testing.assert_array_equal(first[i], second[i])
        for j in range(i):
            assert (first[i] != first[j]).mean() == pytest.approx(0.5, abs=0.02)


LAYERS = [nn.Dropout, nn.Dropout2d, nn.DropPath]


@pytest.mark.parametrize("layer", LAYERS)
def test_state_continues_the_masks(layer):
    one, other = layer(0.5), layer(0.5)
    x = X.reshape(100, 2, 2, 50)
    one(x)
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(one(x).numpy(), other(x).numpy())


def test_zero_keeps_all():
    np.testing.assert_array_equal(nn.Dropout(0)(X).numpy(), X)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("p", [1, -0.1, 2, float("nan")])
def test_p_out_of_range(layer, p):
    name = layer.__name__
    with pytest.raises(ArgumentError, match=f"{name}: p is the probability to drop"):
        layer(p)


@pytest.mark.parametrize("layer", LAYERS)
def test_keep_prob_is_the_courses_word(layer):
    """S21: keep_prob = 1 - p, for each layer."""
    assert layer(keep_prob=0.8).p == 0.2
    assert layer(keep_prob=1).p == 0
    assert layer().p == 0.5
    assert repr(layer(keep_prob=0.8)) == f"{layer.__name__}(p=0.2)"


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("keep_prob", [0, 1.1, -1, float("nan")])
def test_keep_prob_out_of_range(layer, keep_prob):
    with pytest.raises(ArgumentError, match="keep_prob is the probability to keep"):
        layer(keep_prob=keep_prob)


def test_p_and_keep_prob():
    with pytest.raises(ArgumentError, match="give p or keep_prob = 1 - p, not both"):
        nn.Dropout(0.2, keep_prob=0.8)


def test_spatial_dropout_drops_channels():
    """S21"""
    images = np.ones((30, 4, 4, 20), np.float32)
    layer = nn.Dropout2d(0.4)
    first, second = layer(images).numpy(), layer(images).numpy()
    assert (first == first[:, :1, :1]).all()
    assert (first == 0).mean() == pytest.approx(0.4, abs=0.06)
    assert (first != second).any()
    np.testing.assert_array_equal(layer.eval()(images).numpy(), images)
    assert layer.random_state[1] == 2 * 30 * 20


def test_stochastic_depth_drops_examples():
    """S43: a dropped example passes a block by its skip."""
    layer = nn.DropPath(0.4)
    first, second = (X + layer(X)).numpy(), (X + layer(X)).numpy()
    assert (first == first[:, :1]).all()
    np.testing.assert_allclose(np.unique(first), [1, 1 + 1 / 0.6], rtol=1e-6)
    assert (first == 1).mean() == pytest.approx(0.4, abs=0.1)
    assert (first != second).any()
    np.testing.assert_array_equal(layer.eval()(X).numpy(), X)
    assert layer.random_state[1] == 2 * len(X)


def test_a_given_mask():
    """S21: it is used in training, and takes no random numbers."""
    layer, mask = nn.Dropout(keep_prob=0.8), np.arange(20).reshape(4, 5) % 2
    state = layer.random_state.copy()
    np.testing.assert_allclose(layer(np.ones((4, 5)), mask).data, mask / 0.8)
    np.testing.assert_array_equal(layer.random_state, state)
    np.testing.assert_array_equal(layer.eval()(X, mask).data, X)
