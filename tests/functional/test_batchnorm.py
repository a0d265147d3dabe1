"""Batch normalisation: statistics and gradients in both modes."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ShapeError

SHAPES = [(6, 3), (2, 3, 2, 4)]


def arrays(shape, rng):
    """Return x, gamma, beta, running mean, running variance."""
    x = rng.standard_normal(shape) * 2 + 1
    gamma, beta, mean = rng.standard_normal((3, shape[-1]))
    return x, gamma, beta, mean, rng.uniform(0.5, 2, shape[-1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients(shape, training, rng, check_gradients):
    x, gamma, beta, mean, var = arrays(shape, rng)

    def normalise(x, *affine):
        return F.batch_norm(x, mean.copy(), var.copy(), *affine, training=training)

    check_gradients(normalise, x, gamma, beta)
    check_gradients(normalise, x)


@pytest.mark.parametrize("needed", ["x", "weight", "bias"])
@pytest.mark.parametrize("training", [True, False])
def test_only_the_gradients_that_are_needed(training, needed, rng):
    *values, mean, var = arrays((6, 3), rng)
    names = ["x", "weight", "bias"]
    tensors = {
        name: Tensor(array, requires_grad=name == needed)
        for name, array in zip(names, values, strict=True)
    }
    y = F.batch_norm(running_mean=mean, running_var=var, training=training, **tensors)
    y.sum().backward()
    given = [tensors[name].grad is not None for name in names]
    assert given == [name == needed for name in names]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training_normalises_and_follows(shape, rng):
    """S17."""
    x, _, _, mean, var = arrays(shape, rng)
    axes = tuple(range(x.ndim - 1))
    expected_mean = 0.7 * mean + 0.3 * x.mean(axes)
    expected_var = 0.7 * var + 0.3 * x.var(axes, ddof=1)
    y = F.batch_norm(x, mean, var, training=True, momentum=0.3)
    np.testing.assert_allclose(y.data.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.data.var(axes), 1, rtol=1e-4)
    np.testing.assert_allclose(mean, expected_mean)
    np.testing.assert_allclose(var, expected_var)


def test_inference_uses_and_keeps_the_running_statistics(rng):
    """S17: a single example can be predicted."""
    x, gamma, beta, mean, var = arrays((1, 3), rng)
    before = mean.copy(), var.copy()
    y = F.batch_norm(x, mean, var, gamma, beta, eps=1e-3)
    np.testing.assert_allclose(y.data, gamma * (x - mean) / np.sqrt(var + 1e-3) + beta)
    np.testing.assert_array_equal((mean, var), before)


def test_identity(rng):
    """S17: gamma = sqrt(var + eps) and beta = mean undo the normalisation."""
    x, _, _, mean, var = arrays((5, 3), rng)
    y = F.batch_norm(x, mean, var, np.sqrt(var + 1e-5), mean)
    np.testing.assert_allclose(y.data, x)


def test_a_later_batch_does_not_change_the_gradient_of_inference(rng):
    x, gamma, beta, mean, var = arrays((6, 3), rng)
    weight = Tensor(gamma, requires_grad=True)
    expected = ((x - mean) / np.sqrt(var + 1e-5)).sum(0)
    y = F.batch_norm(x, mean, var, weight, beta)
    F.batch_norm(x, mean, var, training=True)
    y.sum().backward()
    np.testing.assert_allclose(weight.grad, expected)


def test_an_empty_batch_is_not_remembered():
    mean, var = np.full(2, 5.0), np.full(2, 6.0)
    y = F.batch_norm(np.ones((0, 2)), mean, var, training=True)
    assert y.shape == (0, 2)
    assert mean.tolist() == [5.0, 5.0]
    assert var.tolist() == [6.0, 6.0]


def test_one_example_has_no_variance():
    mean, var = np.zeros(2), np.ones(2)
    F.batch_norm(np.full((1, 2), 3.0), mean, var, training=True)
    np.testing.assert_allclose(mean, 0.3)
    np.testing.assert_allclose(var, 0.9)


@pytest.mark.parametrize("eps", [1e-3, 1e-5, 3e-6, 1e-7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_variance_of_a_constant_feature_is_not_negative(dtype, eps):
    """S16, S17: it may be rounded, but its root must exist."""
    mean, var = np.zeros((2, 1), dtype)
    x = np.full((4, 1), 3.0, dtype)
    F.batch_norm(x, mean, var, training=True, momentum=1.0, eps=eps)
    assert mean.tolist() == [3.0]
    assert 0 <= var[0] < 1e-6 * eps


@pytest.mark.parametrize(
    ("x", "c"), [((4, 3), 2), ((4, 3), 1), ((3,), 3), ((4, 2, 2, 3), 2)], ids=str
)
@pytest.mark.parametrize("training", [True, False])
def test_shapes_that_do_not_fit(x, c, training):
    with pytest.raises(ShapeError, match="batch_norm"):
        F.batch_norm(np.ones(x), np.zeros(c), np.ones(c), training=training)
