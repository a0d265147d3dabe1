import numpy as np
import pytest

from fastdl.errors import ArgumentError
from fastdl.reference import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)

SHAPES = [(5, 3), (2, 3, 4, 3)]


def test_running_statistics_follow_with_the_unbiased_variance(rng):
    x = rng.standard_normal((5, 3))
    mean, var = np.full((2, 3), 2.0)
    batchnorm_forward(x, np.ones(3), np.ones(3), mean, var, momentum=0.1)
    np.testing.assert_allclose(mean, 0.9 * 2 + 0.1 * x.mean(0))
    np.testing.assert_allclose(var, 0.9 * 2 + 0.1 * x.var(0, ddof=1))


def test_inference_adds_a_residual_before_relu(rng):
    x, residual = rng.standard_normal((2, 5, 3))
    statistics = rng.uniform(0.5, 2, (4, 3))
    y = batchnorm_inference(x, *statistics, residual=residual, activation="relu")
    plain = batchnorm_inference(x, *statistics)
    np.testing.assert_array_equal(y, np.maximum(plain + residual, 0))


@pytest.mark.parametrize("shape", SHAPES)
def test_output_has_mean_beta_and_deviation_gamma(rng, shape):
    x = 4 + 3 * rng.standard_normal(shape)
    gamma, beta = np.array([1.0, 2, 3]), np.array([0.0, -1, 5])
    y, mean, rstd = batchnorm_forward(x, gamma, beta, eps=0)
    y, x = y.reshape(-1, 3), x.reshape(-1, 3)
    np.testing.assert_allclose(y.mean(0), beta, atol=1e-12)
    np.testing.assert_allclose(y.std(0), gamma)  # the biased deviation
    np.testing.assert_allclose(mean, x.mean(0))
    np.testing.assert_allclose(rstd, 1 / x.std(0))


def test_s17_identity(rng):
    """S17: gamma = sqrt(var + eps), beta = mean gives x back."""
    x, eps = 4 + 3 * rng.standard_normal((8, 3)), 1e-3
    gamma, beta = np.sqrt(x.var(0) + eps), x.mean(0)
    y, _, _ = batchnorm_forward(x, gamma, beta, eps=eps)
    np.testing.assert_allclose(y, x)


def test_inference_with_the_batch_statistics_is_training(rng):
    x, gamma, beta = (rng.standard_normal(s) for s in [(8, 3), (3,), (3,)])
    y, _, _ = batchnorm_forward(x, gamma, beta, eps=0.1)
    again = batchnorm_inference(x, gamma, beta, x.mean(0), x.var(0), eps=0.1)
    np.testing.assert_allclose(again, y, atol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_backward_by_finite_differences(rng, numeric_gradient, shape):
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta = rng.standard_normal(3), rng.standard_normal(3)
    _, mean, rstd = batchnorm_forward(x, gamma, beta)
    dx, dgamma, dbeta = batchnorm_backward(dy, x, gamma, mean, rstd)

    def forward(x=x, gamma=gamma, beta=beta):
        return batchnorm_forward(x, gamma, beta)[0]

    check = np.testing.assert_allclose
    check(dx, numeric_gradient(forward, x, dy), atol=1e-7)
    check(dgamma, numeric_gradient(lambda g: forward(gamma=g), gamma, dy), atol=1e-7)
    check(dbeta, numeric_gradient(lambda b: forward(beta=b), beta, dy), atol=1e-7)


@pytest.mark.parametrize("kind", ["relu", "relu6", "silu"])
def test_fused_forms_by_finite_differences(kind, rng, numeric_gradient):
    x, dy, residual = rng.standard_normal((3, 7, 3))
    gamma, beta = rng.standard_normal((2, 3))
    gamma = 4 * gamma  # beyond 6 too
    if kind == "silu":
        residual = None

    def forward(x=x, gamma=gamma, beta=beta):
        fused = {"residual": residual, "activation": kind}
        return batchnorm_forward(x, gamma, beta, **fused)[0]

    _, mean, rstd = batchnorm_forward(x, gamma, beta)
    source = {"beta": beta} if kind == "silu" else {"y": forward()}
    dx, dgamma, dbeta = batchnorm_backward(
        dy, x, gamma, mean, rstd, activation=kind, **source
    )
    check = np.testing.assert_allclose
    check(dx, numeric_gradient(forward, x, dy), atol=1e-7)
    check(dgamma, numeric_gradient(lambda g: forward(gamma=g), gamma, dy), atol=1e-7)
    check(dbeta, numeric_gradient(lambda b: forward(beta=b), beta, dy), atol=1e-7)


def test_other_activations_are_refused():
    x, one = np.ones((4, 3)), np.ones(3)
    with pytest.raises(ArgumentError, match="got 'sigmoid'"):
        batchnorm_forward(x, one, one, activation="sigmoid")


def test_constant_channel_gives_beta():
    y, _, rstd = batchnorm_forward(np.full((4, 1), 7.0), np.ones(1), np.full(1, 2.0))
    np.testing.assert_array_equal(y, 2)
    np.testing.assert_allclose(rstd, 1e-5**-0.5)


def test_empty_batch():
    """No pixels: mean 0 and variance 0 rather than NaN."""
    x, one = np.ones((0, 3)), np.ones(3)
    y, mean, rstd = batchnorm_forward(x, one, one)
    assert y.shape == (0, 3)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_allclose(rstd, 1e-5**-0.5)
    dx, dgamma, dbeta = batchnorm_backward(y, x, one, mean, rstd)
    assert dx.shape == (0, 3)
    np.testing.assert_array_equal([dgamma, dbeta], np.zeros((2, 3)))
