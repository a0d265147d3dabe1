"""Batch normalisation: statistics and gradients in both modes."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor, no_grad
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError

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


@pytest.mark.parametrize("activation", [None, "relu", "relu6", "tanh", "silu"])
@pytest.mark.parametrize("with_residual", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_with_residual_and_activation(
    training, with_residual, activation, rng, check_gradients
):
    x, gamma, beta, mean, var = arrays((2, 3, 2, 4), rng)
    residual = [rng.standard_normal(x.shape)] if with_residual else []

    def normalise(x, gamma, beta, residual=None):
        return F.batch_norm(
            *(x, mean.copy(), var.copy(), gamma, beta),
            training=training,
            activation=activation,
            residual=residual,
        )

    check_gradients(normalise, x, gamma, beta, *residual)


@pytest.mark.parametrize("with_residual", [True, False])
@pytest.mark.parametrize(
    "activation", [None, "identity", "relu", "relu6", "silu", "gelu"]
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fused_equals_the_separate_operations(
    dtype, training, activation, with_residual, rng
):
    """Results, gradients and running statistics."""
    x, gamma, beta, mean, var = (
        array.astype(dtype) for array in arrays((5, 4, 3, 7), rng)
    )
    other, dy = rng.standard_normal((2, *x.shape)).astype(dtype)

    def run(function):
        running = mean.copy(), var.copy()
        operands = (x, gamma, beta, other) if with_residual else (x, gamma, beta)
        tensors = [Tensor(a, requires_grad=True) for a in operands]
        y = function(running, *tensors)
        y.backward(dy)
        return [y.data, *running, *(tensor.grad for tensor in tensors)]

    def fused(running, x, gamma, beta, other=None):
        return F.batch_norm(
            *(x, *running, gamma, beta),
            training=training,
            activation=activation,
            residual=other,
        )

    def separate(running, x, gamma, beta, other=None):
        y = F.batch_norm(x, *running, gamma, beta, training=training)
        return F.activation(y if other is None else y + other, activation)

    tolerance = 100 * np.finfo(dtype).eps
    for a, e in zip(run(fused), run(separate), strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


def test_x_may_be_its_own_residual(rng, check_gradients):
    x, gamma, beta, mean, var = arrays((6, 3), rng)

    def double(x):
        return F.batch_norm(
            *(x, mean.copy(), var.copy(), gamma, beta),
            training=True,
            activation="relu",
            residual=x,
        )

    check_gradients(double, x)


def test_a_changed_result_is_noticed(rng):
    """The derivative of ReLU is taken from y after a residual."""
    x, gamma, beta, mean, var = arrays((6, 3), rng)
    x = Tensor(x, requires_grad=True)
    y = F.batch_norm(
        *(x, mean, var, gamma, beta), training=True, activation="relu", residual=x
    )
    with no_grad():
        y[0] = 1.0
    with pytest.raises(GraphError):
        y.sum().backward()


@pytest.mark.parametrize("training", [True, False])
def test_wrong_residual_and_activation(training, rng):
    """Nothing is remembered of a call that fails."""
    x, gamma, beta, mean, var = arrays((6, 3), rng)
    before = mean.copy()

    def run(**options):
        F.batch_norm(x, mean, var, gamma, beta, training=training, **options)

    for wrong in (x[:1], x[0], x[:5]):
        with pytest.raises(ShapeError, match=r"expected residual of shape \(6, 3\)"):
            run(residual=wrong)
    with pytest.raises(DtypeError, match="residual is float32"):
        run(residual=x.astype(np.float32))
    with pytest.raises(ArgumentError, match=r"batch_norm: unknown.*'relu'"):
        run(activation="rellu")
    np.testing.assert_array_equal(mean, before)


@pytest.mark.parametrize("needed", ["x", "weight", "bias", "residual"])
@pytest.mark.parametrize("training", [True, False])
def test_only_the_gradients_that_are_needed(training, needed, rng):
    *values, mean, var = arrays((6, 3), rng)
    values.append(values[0])
    names = ["x", "weight", "bias", "residual"]
    tensors = {
        name: Tensor(array, requires_grad=name == needed)
        for name, array in zip(names, values, strict=True)
    }
    y = F.batch_norm(running_mean=mean, running_var=var, training=training, **tensors)
    y.sum().backward()
    given = [tensors[name].grad is not None for name in names]
    assert given == [name == needed for name in names]


@pytest.mark.parametrize("needed", ["x", "weight", "bias"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["relu6", "silu"])
def test_one_gradient_equals_that_of_all(activation, training, needed, rng):
    values = dict(
        zip(("x", "weight", "bias", "mean", "var"), arrays((6, 3), rng), strict=True)
    )
    mean, var = values.pop("mean"), values.pop("var")

    def gradient(learns):
        tensors = {
            name: Tensor(array, requires_grad=name in learns)
            for name, array in values.items()
        }
        y = F.batch_norm(
            running_mean=mean.copy(),
            running_var=var.copy(),
            training=training,
            activation=activation,
            **tensors,
        )
        y.sum().backward()
        return tensors[needed].grad

    alone, among_all = gradient([needed]), gradient(list(values))
    np.testing.assert_allclose(alone, among_all, rtol=1e-10, atol=1e-10)


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


def test_the_statistics_that_do_not_fit_are_named():
    x, three, two = np.ones((2, 3)), np.ones(3), np.ones(2)
    with pytest.raises(ShapeError, match="3 channels, but running_mean has shape"):
        F.batch_norm(x, two, three)
    with pytest.raises(ShapeError, match=r"expected running_var of shape \(3,\), got"):
        F.batch_norm(x, three, two)
