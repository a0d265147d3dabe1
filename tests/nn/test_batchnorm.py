"""Batch normalisation layers."""

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import ArgumentError, ShapeError

IMAGES = np.random.default_rng(0).normal(3, 2, (8, 5, 5, 4)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(-2, 4, (32, 6)).astype(np.float32)
CASES = [(nn.BatchNorm2d, IMAGES), (nn.BatchNorm1d, ROWS)]
CASES = [pytest.param(*case, id=case[0].__name__) for case in CASES]


def channels(x):
    return x.reshape(-1, x.shape[-1]).astype(np.float64)


@pytest.mark.parametrize(("layer", "x"), CASES)
def test_training_normalises_each_channel(layer, x):
    """S17"""
    y = channels(layer(None)(x).numpy())
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(0), 1, atol=1e-4)


@pytest.mark.parametrize(("layer", "x"), CASES)
def test_identity(layer, x):
    """S17: gamma = sqrt(var + eps) and beta = mean give x back."""
    norm = layer(x.shape[-1], eps=1e-3)
    norm.weight.data[...] = np.sqrt(channels(x).var(0) + 1e-3)
    norm.bias.data[...] = channels(x).mean(0)
    np.testing.assert_allclose(norm(x).numpy(), x, atol=2e-5)


@pytest.mark.parametrize(("layer", "x"), CASES)
def test_running_statistics_weigh_the_new_value_by_momentum(layer, x):
    """S17: PyTorch's convention, with the unbiased variance."""
    norm = layer(None, momentum=0.25)
    norm(x)
    norm(x)
    weight = 1 - 0.75**2
    flat = channels(x)
    expected = 0.75**2 + weight * flat.var(0, ddof=1)
    np.testing.assert_allclose(norm.running_mean, weight * flat.mean(0), rtol=1e-4)
    np.testing.assert_allclose(norm.running_var, expected, rtol=1e-4)
    assert norm.num_batches_tracked == 2


@pytest.mark.parametrize(("layer", "x"), CASES)
def test_a_single_example_is_predicted_from_running_statistics(layer, x):
    """S17"""
    norm = layer(None, momentum=1.0)
    norm(x)
    state = norm.state_dict()
    norm.eval()
    one = norm(x[:1]).numpy()
    np.testing.assert_allclose(one, norm(x).numpy()[:1], rtol=1e-6)
    flat = channels(x)
    expected = (x[:1] - flat.mean(0)) / np.sqrt(flat.var(0, ddof=1) + 1e-5)
    np.testing.assert_allclose(one, expected, atol=1e-4)
    for name, array in norm.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.parametrize(
    ("layer", "x"),
    [(nn.BatchNorm2d, IMAGES[:1, :1, :1]), (nn.BatchNorm1d, ROWS[:1])],
)
def test_training_needs_more_than_one_value(layer, x):
    norm = layer(None)
    with pytest.raises(ShapeError, match=r"batch_norm.*more than (one|1) value"):
        norm(x)
    assert norm.num_batches_tracked == 0
    assert norm.eval()(x).shape == x.shape


def test_frozen_stays_in_inference_mode():
    """S32"""
    norm = nn.BatchNorm1d(6).freeze().train()
    y = norm(ROWS).numpy()
    np.testing.assert_allclose(y, ROWS / np.sqrt(1 + 1e-5), rtol=1e-6)
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.RMSprop, optim.Adam])
def test_learns_with_every_optimiser(optimizer):
    """S17: gamma and beta of a channel find the target's spread and mean."""
    norm = nn.BatchNorm1d(6)
    steps = optimizer(norm.parameters(), lr=0.05)
    target = 2 * (ROWS - ROWS.mean(0)) / ROWS.std(0) + 1
    for _ in range(300):
        steps.zero_grad()
        nn.MSELoss(reduction="sum")(norm(ROWS) * 0.1, target * 0.1).backward()
        steps.step()
    np.testing.assert_allclose(norm.weight.data, 2, atol=0.1)
    np.testing.assert_allclose(norm.bias.data, 1, atol=0.1)


def test_sequences():
    x = np.random.default_rng(2).normal(5, 1, (4, 7, 3)).astype(np.float32)
    y = channels(nn.BatchNorm1d(3)(x).numpy())
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)


def test_channels_first_are_recognised():
    x = np.ones((2, 3, 8, 8), np.float32)
    with pytest.raises(ShapeError, match=r"8 channels, but .* use x\.transpose\(0, 2,"):
        nn.BatchNorm2d(3)(x)


@pytest.mark.parametrize(
    ("layer", "x"), [(nn.BatchNorm1d, IMAGES), (nn.BatchNorm2d, ROWS)]
)
@pytest.mark.parametrize("known", [True, False])
def test_wrong_rank(layer, x, known):
    norm = layer(x.shape[-1] if known else None)
    with pytest.raises(ShapeError, match=rf"batch_norm: {layer.__name__} expects x"):
        norm(x)


@pytest.mark.parametrize(
    "arguments",
    [{"eps": 0}, {"eps": float("nan")}, {"momentum": 1.1}, {"momentum": -1}],
)
def test_arguments_out_of_range(arguments):
    with pytest.raises(ArgumentError, match=r"BatchNorm2d: (eps|momentum)"):
        nn.BatchNorm2d(3, **arguments)


def test_features_must_be_positive():
    with pytest.raises(ShapeError, match="BatchNorm1d: num_features"):
        nn.BatchNorm1d(0)
