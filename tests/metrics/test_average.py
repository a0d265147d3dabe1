"""S11: exponentially weighted averages."""

import numpy as np
import pytest

from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.metrics import ExponentialAverage


@pytest.mark.parametrize(("beta", "window"), [(0.9, 10), (0.98, 50), (0.5, 2)])
def test_window(beta, window):
    """S11"""
    assert ExponentialAverage(beta).window == pytest.approx(window)


def test_numbers_of_the_course():
    """S11: beta 0.98, t = 2."""
    average = ExponentialAverage(0.98)
    assert average.update(40.0) == pytest.approx(40)
    assert average.update(49.0) == pytest.approx(
        (0.0196 * 40 + 0.02 * 49) / 0.0396, rel=1e-12
    )
    plain = ExponentialAverage(0.98, bias_correction=False)
    assert plain.update(40.0) == pytest.approx(0.8)
    assert plain.update(49.0) == pytest.approx(0.0196 * 40 + 0.02 * 49)


def test_sum_of_weights():
    """S11: the average is sum (1 - beta) beta^(t - i) theta_i / (1 - beta^t)."""
    values = np.random.default_rng(0).standard_normal((30, 2, 3))
    average = ExponentialAverage(0.8)
    for value in values:
        result = average.update(value)
    weights = 0.2 * 0.8 ** np.arange(29, -1, -1)
    expected = np.tensordot(weights, values, 1) / weights.sum()
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    result[...] = 0  # it is the caller's
    np.testing.assert_allclose(average.result(), expected)


def test_reset():
    average = ExponentialAverage(0)
    assert average.update(3) == 3.0
    average.reset()
    with pytest.raises(DataError, match="ExponentialAverage: no values yet"):
        average.result()
    assert average.update([1, 2]).tolist() == [1, 2]
    with pytest.raises(ShapeError, match=r"values of shape \(2,\), got \(\)"):
        average.update(1)


@pytest.mark.parametrize("beta", [1, -0.1, np.nan, "0.9"])
def test_beta(beta):
    with pytest.raises(ArgumentError, match=r"beta must be in \[0, 1\)"):
        ExponentialAverage(beta)
