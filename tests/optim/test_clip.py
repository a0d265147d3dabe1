"""Gradient clipping."""

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import ArgumentError, NonFiniteError


def parameters(*gradients, dtype=np.float32):
    result = [nn.Parameter(np.zeros(np.shape(g), dtype)) for g in gradients]
    for parameter, gradient in zip(result, gradients, strict=True):
        parameter.grad = np.array(gradient, dtype)
    return result


def test_norm_of_all_gradients_together():
    """S19: 3 and 4 are 5 long; the direction stays."""
    params = [*parameters([3.0, 0.0], [[4.0]]), nn.Parameter(np.ones(2))]
    assert optim.clip_grad_norm_(iter(params), 2.5) == pytest.approx(5.0)
    np.testing.assert_allclose(params[0].grad, [1.5, 0])
    np.testing.assert_allclose(params[1].grad, [[2.0]])
    assert params[2].grad is None


def test_short_gradients_stay():
    params = parameters([3.0, 4.0])
    before = params[0].grad
    assert optim.clip_grad_norm_(params, 5.0) == 5.0
    assert params[0].grad is before
    assert before.tolist() == [3, 4]


def test_one_tensor_and_none():
    (parameter,) = parameters([6.0, 8.0])
    assert optim.clip_grad_norm_(parameter, 1.0) == 10
    assert optim.clip_grad_norm_([nn.Parameter(np.ones(2))], 1.0) == 0


def test_huge_gradients_do_not_overflow():
    params = parameters([3e30, 4e30])
    assert optim.clip_grad_norm_(params, 1.0) == pytest.approx(5e30)
    np.testing.assert_allclose(params[0].grad, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_that_are_not_finite(bad):
    params = parameters([1.0, bad], [9.0])
    with pytest.raises(NonFiniteError, match="clip_grad_norm_: a gradient is NaN"):
        optim.clip_grad_norm_(params, 1.0)
    assert params[1].grad.tolist() == [9]


def test_by_value():
    """S19"""
    params = [*parameters([3.0, -0.2], [[-4.0]]), nn.Parameter(np.ones(2))]
    optim.clip_grad_value_(params, 0.5)
    np.testing.assert_allclose(params[0].grad, [0.5, -0.2])
    np.testing.assert_allclose(params[1].grad, [[-0.5]])


def test_an_optimiser_takes_the_clipped_gradient():
    """In place: also where the gradient lies in the optimiser's flat array."""
    layer = nn.Linear(3, 1, bias=False)
    layer.weight.data[...] = 0
    optimizer = optim.SGD(layer.parameters(), lr=1.0)
    layer(np.full((1, 3), 10.0, np.float32)).sum().backward()
    optim.clip_grad_value_(layer.parameters(), 2.0)
    optimizer.step()
    np.testing.assert_allclose(layer.weight.data, -2)


@pytest.mark.parametrize("limit", [0, -1, np.nan, np.inf, "1"])
@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_limits(clip, limit):
    with pytest.raises(ArgumentError, match=r"clip_grad_\w+_: \w+ must be a number"):
        clip([], limit)
