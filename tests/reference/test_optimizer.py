import numpy as np
import pytest

from fastdl.errors import ArgumentError
from fastdl.reference import adagrad_step, adam_step, rmsprop_step, sgd_step


def test_plain_descent():
    param = np.array([1.0, 2])
    sgd_step(param, np.array([10.0, -10]), None, lr=0.1)
    np.testing.assert_allclose(param, [0, 3])


@pytest.mark.parametrize(
    ("options", "velocities"),
    [
        # v = 0.9 v + g for g = 1, 1, 1
        ({}, [1, 1.9, 2.71]),
        # v = 0.9 v + 0.1 g: the exponentially weighted average
        ({"dampening": 0.9}, [0.1, 0.19, 0.271]),
    ],
    ids=["sum", "average"],
)
def test_s12_momentum_in_both_conventions(options, velocities):
    """S12."""
    param, velocity = np.zeros(1), np.zeros(1)
    place = 0
    for expected in velocities:
        sgd_step(param, np.ones(1), velocity, lr=0.5, momentum=0.9, **options)
        place -= 0.5 * expected
        np.testing.assert_allclose(velocity, [expected])
        np.testing.assert_allclose(param, [place])


def test_nesterov_looks_ahead():
    """v = 0.9 v + g = 4.8, then the step is g + 0.9 v = 7.32."""
    param, velocity = np.zeros(1), np.full(1, 2.0)
    sgd_step(param, np.full(1, 3.0), velocity, lr=0.5, momentum=0.9, nesterov=True)
    np.testing.assert_allclose(velocity, [4.8])
    np.testing.assert_allclose(param, [-3.66])


def test_s19_weight_decay_shrinks():
    """S19: under plain descent, w becomes (1 - lr * decay) w - lr * g."""
    param = np.array([2.0])
    sgd_step(param, np.array([1.0]), None, lr=0.1, weight_decay=0.5)
    np.testing.assert_allclose(param, [(1 - 0.1 * 0.5) * 2 - 0.1])


def test_s13_rmsprop_by_hand():
    """S13: g = 2 twice: s = 0.4, then 0.9 * 0.4 + 0.4 = 0.76."""
    param, square = np.ones(1), np.zeros(1)
    rmsprop_step(param, np.full(1, 2.0), square, lr=0.1)
    np.testing.assert_allclose(square, [0.4])
    np.testing.assert_allclose(param, [1 - 0.1 * 2 / np.sqrt(0.4)])
    rmsprop_step(param, np.full(1, 2.0), square, lr=0.1)
    np.testing.assert_allclose(square, [0.76])
    expected = 1 - 0.1 * 2 / np.sqrt(0.4) - 0.1 * 2 / np.sqrt(0.76)
    np.testing.assert_allclose(param, [expected])


def test_s13_rmsprop_centred_with_momentum_by_hand():
    """S13: g = 2, then 0: the mean is 0.2, then 0.18."""
    param, square, mean, velocity = np.ones(1), *np.zeros((3, 1))
    states = square, mean, velocity
    rmsprop_step(param, np.full(1, 2.0), *states, lr=0.1, momentum=0.5)
    first = 2 / np.sqrt(0.4 - 0.2**2)
    np.testing.assert_allclose(velocity, [first])
    rmsprop_step(param, np.zeros(1), *states, lr=0.1, momentum=0.5)
    np.testing.assert_allclose(mean, [0.18])
    np.testing.assert_allclose(velocity, [0.5 * first])
    np.testing.assert_allclose(param, [1 - 0.1 * 1.5 * first])


def test_adagrad_by_hand():
    """S13: squares add up to 9, then 25."""
    param, square = np.ones(1), np.zeros(1)
    adagrad_step(param, np.full(1, 3.0), square, lr=0.1)
    adagrad_step(param, np.full(1, -4.0), square, lr=0.1)
    np.testing.assert_allclose(square, [25])
    np.testing.assert_allclose(param, [1 - 0.1 + 0.1 * 4 / 5])


def test_amsgrad_by_hand():
    """S14: v falls from 8 to 4, the largest stays 8, over 1 - 0.5^2."""
    param, m, v, largest = np.ones(1), *np.zeros((3, 1))
    options = {"lr": 0.1, "beta1": 0.0, "beta2": 0.5}
    adam_step(param, np.full(1, 4.0), m, v, largest, step=1, **options)
    np.testing.assert_allclose(param, [0.9])
    adam_step(param, np.full(1, 0.5), m, v, largest, step=2, **options)
    np.testing.assert_allclose(largest, [8])
    np.testing.assert_allclose(v, [4.125])
    np.testing.assert_allclose(param, [0.9 - 0.1 * 0.5 / np.sqrt(8 / 0.75)])


def test_s14_adam_by_hand():
    """S14: bias correction makes the first step lr * sign(g) for any size of g."""
    param, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    adam_step(param, np.array([100.0, -0.01]), m, v, lr=0.1, step=1)
    np.testing.assert_allclose(m, [10, -0.001])
    np.testing.assert_allclose(v, [10, 1e-7])
    np.testing.assert_allclose(param, [0.9, 1.1], rtol=1e-6)
    adam_step(param, np.zeros(2), m, v, lr=0.1, step=2)
    np.testing.assert_allclose(m, [9, -0.0009])
    m_hat, v_hat = 9 / (1 - 0.81), 9.99 / (1 - 0.999**2)
    np.testing.assert_allclose(param[0], 0.9 - 0.1 * m_hat / np.sqrt(v_hat))


def test_eps_stands_outside_the_root():
    """A gradient of 1e-8 moves by half a step when eps is 1e-8."""
    param = np.zeros(1)
    adam_step(param, np.full(1, 1e-8), np.zeros(1), np.zeros(1), lr=1.0, step=1)
    np.testing.assert_allclose(param, [-0.5])


def test_adam_weight_decay_goes_through_the_gradient():
    param, m, v = np.full(1, 2.0), np.zeros(1), np.zeros(1)
    adam_step(param, np.ones(1), m, v, lr=0.1, weight_decay=0.5, step=1)
    np.testing.assert_allclose(m, [0.1 * (1 + 0.5 * 2)])
    np.testing.assert_allclose(param, [1.9])


def test_adamw_weight_decay_bypasses_the_gradient():
    param, m, v = np.full(1, 2.0), np.zeros(1), np.zeros(1)
    adam_step(param, np.ones(1), m, v, lr=0.1, weight_decay=0.5, decoupled=True, step=1)
    np.testing.assert_allclose(m, [0.1])
    np.testing.assert_allclose(param, [2 * (1 - 0.1 * 0.5) - 0.1])


def test_rmsprop_weight_decay():
    param, square = np.full(1, 2.0), np.zeros(1)
    rmsprop_step(param, np.ones(1), square, lr=0.1, weight_decay=0.5)
    np.testing.assert_allclose(square, [0.1 * 4])


def test_momentum_without_velocity():
    with pytest.raises(ArgumentError, match="momentum needs an array of velocities"):
        sgd_step(np.ones(1), np.ones(1), None, lr=0.1, momentum=0.9)
