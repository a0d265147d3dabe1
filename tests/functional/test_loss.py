"""Losses of numbers: squared, absolute and Huber's error."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError


def huber(d, delta=1.0):
    return np.where(np.abs(d) <= delta, d**2 / 2, delta * (np.abs(d) - delta / 2))


# function: its loss of a difference
LOSSES = {
    F.mse_loss: np.square,
    F.l1_loss: np.abs,
    F.huber_loss: huber,
    partial(F.huber_loss, delta=0.3): partial(huber, delta=0.3),
}
each_loss = pytest.mark.parametrize(
    "function", LOSSES, ids=["mse_loss", "l1_loss", "huber_loss", "huber_loss, 0.3"]
)
NAMES = ["mse_loss", "l1_loss", "huber_loss"]
REDUCTIONS = ["mean", "sum", "none"]


@each_loss
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_values_and_gradients(function, reduction, rng, check_gradients):
    a, b = rng.standard_normal((2, 4, 3))
    each = LOSSES[function](a - b)
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    loss = function(a, b, reduction)
    np.testing.assert_allclose(loss.data, expected, rtol=1e-14)
    check_gradients(lambda a, b: function(a, b, reduction), a, b)


@each_loss
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_weights(function, reduction, shape, rng, check_gradients):
    a, b = rng.standard_normal((2, 4, 3))
    w = rng.random(shape)
    w[0] = 0
    by_element = w.reshape(4, -1) * np.ones((4, 3))
    each = by_element * LOSSES[function](a - b)
    expected = {
        "mean": each.sum() / by_element.sum(),
        "sum": each.sum(),
        "none": each,
    }
    loss = function(a, b, reduction, sample_weight=w)
    np.testing.assert_allclose(loss.data, expected[reduction], rtol=1e-14)
    check_gradients(lambda a, b: function(a, b, reduction, sample_weight=w), a, b)


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_do_not_fit(name):
    with pytest.raises(ShapeError, match=f"{name}: .*one sample_weight for each"):
        getattr(F, name)(np.ones((4, 1)), np.ones((4, 1)), sample_weight=np.ones(3))


@pytest.mark.parametrize("name", NAMES)
def test_plain_targets_are_converted(name):
    x = Tensor([1.0, 0.5], requires_grad=True)
    getattr(F, name)(x, np.array([0.0, 0.0])).backward()
    expected = {
        "mse_loss": [1.0, 0.5],
        "l1_loss": [0.5, 0.5],
        "huber_loss": [0.5, 0.25],
    }
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == expected[name]


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_types_must_be_equal(name):
    function = getattr(F, name)
    with pytest.raises(ShapeError, match=rf"{name}.*reshape\(-1, 1\)"):
        function(np.ones((4, 1)), np.ones(4))
    with pytest.raises(ShapeError, match=name):
        function(np.ones((4, 1)), np.ones((4, 3)))
    with pytest.raises(DtypeError, match=name):
        function(np.ones(2), Tensor([1.0, 2.0]))
    with pytest.raises(DtypeError, match=f"{name}: target is uint8 .*as_float"):
        function(np.ones((2, 3, 3)), np.ones((2, 3, 3), np.uint8))


@pytest.mark.parametrize("name", ["l1_loss", "huber_loss"])
def test_huge_errors(name):
    x = Tensor(np.array([1e20, -1e20], np.float32), requires_grad=True)
    loss = getattr(F, name)(x, np.zeros(2))
    loss.backward()
    assert loss.item() == np.float32(1e20)
    assert x.grad.tolist() == [0.5, -0.5]


def test_no_error_has_no_gradient():
    x = Tensor([2.0], requires_grad=True)
    F.l1_loss(x, [2.0]).backward()
    assert x.grad == 0.0


@pytest.mark.parametrize("delta", [0, -1, np.nan, np.inf, "1", None])
def test_delta_is_positive(delta):
    with pytest.raises(ArgumentError, match="huber_loss: delta must be"):
        F.huber_loss(np.ones(2), np.ones(2), delta=delta)


@pytest.mark.parametrize(
    "name", [*NAMES, "binary_cross_entropy_with_logits", "sigmoid_focal_loss"]
)
def test_the_mean_of_no_loss_is_zero(name):
    x = Tensor(np.ones((0, 2)), requires_grad=True)
    result = getattr(F, name)(x, np.ones((0, 2)))
    result.backward()
    assert result.item() == 0.0
    assert x.grad.shape == (0, 2)


@pytest.mark.parametrize("name", NAMES)
def test_misspelt_reduction(name):
    with pytest.raises(ArgumentError, match=f"{name}.*did you mean 'mean'"):
        getattr(F, name)(np.ones(2), np.ones(2), reduction="maen")
