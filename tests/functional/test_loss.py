"""Losses of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# Mean squared error


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss(reduction, rng, check_gradients):
    a, b = rng.standard_normal((2, 4, 3))
    square = (a - b) ** 2
    expected = {"mean": square.mean(), "sum": square.sum(), "none": square}[reduction]
    loss = F.mse_loss(a, b, reduction)
    np.testing.assert_allclose(loss.data, expected, rtol=1e-14)
    check_gradients(lambda a, b: F.mse_loss(a, b, reduction), a, b)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_mse_loss_with_weights(reduction, shape, rng, check_gradients):
    a, b = rng.standard_normal((2, 4, 3))
    w = rng.random(shape)
    w[0] = 0
    each = w.reshape(4, -1) * np.ones((4, 3))
    square = each * (a - b) ** 2
    expected = {"mean": square.sum() / each.sum(), "sum": square.sum(), "none": square}
    loss = F.mse_loss(a, b, reduction, sample_weight=w)
    np.testing.assert_allclose(loss.data, expected[reduction], rtol=1e-14)
    check_gradients(lambda a, b: F.mse_loss(a, b, reduction, sample_weight=w), a, b)


def test_mse_loss_refuses_weights_that_do_not_fit():
    with pytest.raises(ShapeError, match="one sample_weight for each of the 4"):
        F.mse_loss(np.ones((4, 1)), np.ones((4, 1)), sample_weight=np.ones(3))


def test_mse_loss_converts_plain_targets():
    x = Tensor([1.0, 2.0], requires_grad=True)
    F.mse_loss(x, np.array([0.0, 0.0])).backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [1.0, 2.0]


def test_mse_loss_needs_equal_shapes_and_types():
    with pytest.raises(ShapeError, match=r"mse_loss.*reshape\(4, 1\)"):
        F.mse_loss(np.ones((4, 1)), np.ones(4))
    with pytest.raises(ShapeError, match="mse_loss"):
        F.mse_loss(np.ones((4, 1)), np.ones((4, 3)))
    with pytest.raises(DtypeError, match="mse_loss"):
        F.mse_loss(np.ones(2), Tensor([1.0, 2.0]))


@pytest.mark.parametrize("loss", ["mse_loss", "binary_cross_entropy_with_logits"])
def test_the_mean_of_no_loss_is_zero(loss):
    x = Tensor(np.ones((0, 2)), requires_grad=True)
    result = getattr(F, loss)(x, np.ones((0, 2)))
    result.backward()
    assert result.item() == 0.0
    assert x.grad.shape == (0, 2)


def test_misspelt_reduction():
    with pytest.raises(ArgumentError, match="did you mean 'mean'"):
        F.mse_loss(np.ones(2), np.ones(2), reduction="maen")
