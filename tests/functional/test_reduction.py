"""Sums, means, extremes and the mean squared error."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError

AXES = [None, 0, -1, 1, (0, 2), [1], (-1, 0), (0, 1, 2)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_reduction(name, axis, keepdims, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    function = getattr(F, name)
    y = function(x, axis, keepdims)
    expected = getattr(np, name)(
        x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    )
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)
    check_gradients(lambda x: function(x, axis, keepdims), x)


def test_methods_are_the_functions(check_gradients, rng):
    x = rng.standard_normal((2, 3))
    check_gradients(lambda x: x.sum(0) * x.mean(0) + x.max(0) - x.min(axis=0), x)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("axis", [2, -3, (0, 0), (0, -2)], ids=str)
def test_axes_that_do_not_exist_or_repeat(name, axis):
    with pytest.raises(ShapeError, match=f"{name}.*axis="):
        getattr(F, name)(np.ones((2, 3)), axis)


def test_nothing_to_reduce():
    x = Tensor(np.ones((0, 3)), requires_grad=True)
    assert x.sum(0).data.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(x.mean().data)
    with pytest.raises(ShapeError, match="no elements"):
        x.max()
    x.sum().backward()
    assert x.grad.shape == (0, 3)


def test_equal_maxima_share_the_gradient():
    x = Tensor(np.array([1.0, 2.0, 2.0]), requires_grad=True)
    x.max().backward()
    assert x.grad.tolist() == [0.0, 0.5, 0.5]


def test_a_maximum_is_nan_when_an_element_is():
    assert np.isnan(F.max(np.array([1.0, np.nan])).item())


def test_a_changed_operand_of_max_is_noticed():
    x = Tensor(np.ones(2), requires_grad=True)
    y = x.max()
    x.mark_changed()
    with pytest.raises(GraphError):
        y.backward()


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
