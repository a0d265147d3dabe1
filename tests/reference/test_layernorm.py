import numpy as np
import pytest

from fastdl.errors import ShapeError
from fastdl.reference import layernorm_backward, layernorm_forward

SHAPES = [((5, 4), 1), ((5, 4), 2), ((3, 2, 2, 4), 1), ((3, 2, 2, 4), 4)]


@pytest.mark.parametrize(("shape", "groups"), SHAPES)
def test_each_group_has_mean_beta_and_deviation_gamma(rng, shape, groups):
    x = 4 + 3 * rng.standard_normal(shape)
    y, mean, rstd = layernorm_forward(
        x, np.full(4, 2.0), np.full(4, -1.0), groups=groups, eps=0
    )
    view = (shape[0], -1, groups, 4 // groups)
    x, y = x.reshape(view), y.reshape(view)
    np.testing.assert_allclose(y.mean((1, 3)), -1)
    np.testing.assert_allclose(y.std((1, 3)), 2)  # the biased deviation
    np.testing.assert_allclose(mean, x.mean((1, 3)))
    np.testing.assert_allclose(rstd, 1 / x.std((1, 3)))


def test_each_channel_has_its_gamma_and_beta(rng):
    x, gamma, beta = (rng.standard_normal(s) for s in [(5, 4), (4,), (4,)])
    plain, *_ = layernorm_forward(x, np.ones(4), np.zeros(4))
    y, *_ = layernorm_forward(x, gamma, beta)
    np.testing.assert_allclose(y, plain * gamma + beta)


@pytest.mark.parametrize(("shape", "groups"), SHAPES)
def test_backward_by_finite_differences(rng, numeric_gradient, shape, groups):
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta = rng.standard_normal((2, 4))
    _, mean, rstd = layernorm_forward(x, gamma, beta, groups=groups)
    dx, dgamma, dbeta = layernorm_backward(dy, x, gamma, mean, rstd)

    def forward(x=x, gamma=gamma, beta=beta):
        return layernorm_forward(x, gamma, beta, groups=groups)[0]

    check = np.testing.assert_allclose
    check(dx, numeric_gradient(forward, x, dy), rtol=1e-5, atol=1e-7)
    check(dgamma, numeric_gradient(lambda g: forward(gamma=g), gamma, dy), atol=1e-7)
    check(dbeta, numeric_gradient(lambda b: forward(beta=b), beta, dy), atol=1e-7)


def test_empty_batch():
    x, one = np.ones((0, 2, 2, 4)), np.ones(4)
    y, mean, rstd = layernorm_forward(x, one, one, groups=2)
    assert (y.shape, mean.shape, rstd.shape) == (x.shape, (0, 2), (0, 2))
    dx, dgamma, dbeta = layernorm_backward(y, x, one, mean, rstd)
    assert dx.shape == x.shape
    np.testing.assert_array_equal([dgamma, dbeta], 0)


def test_groups_that_do_not_divide_the_channels():
    x, one = np.ones((2, 4)), np.ones(4)
    with pytest.raises(ShapeError, match="divisible by the 3 groups"):
        layernorm_forward(x, one, one, groups=3)
