"""The terms that L1 and L2 regularisation add to a cost."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError

W, V = np.array([[1.5, -2.0], [0.25, 3.0]]), np.array([-1.0, 4.0])


def test_l2(check_gradients):
    """S19: strength / 2 times the sum of squares."""
    assert F.l2_penalty([W, V], 0.5).item() == 0.25 * ((W**2).sum() + (V**2).sum())
    check_gradients(lambda *weights: F.l2_penalty(weights, 0.5), W, V)


def test_l1(check_gradients):
    """S20: strength times the sum of magnitudes."""
    assert F.l1_penalty([W, V], 0.5).item() == 0.5 * (6.75 + 5)
    check_gradients(lambda *weights: F.l1_penalty(weights, 0.5), W, V)


def test_gradient_of_l1_at_zero_is_zero():
    """S20"""
    w = Tensor(np.array([0.0, -0.0, 2.0]), requires_grad=True)
    F.l1_penalty([w], 3.0).backward()
    assert w.grad.tolist() == [0, 0, 3]


@pytest.mark.parametrize("penalty", [F.l1_penalty, F.l2_penalty])
def test_frozen_weights_cost_but_get_no_gradient(penalty):
    w, frozen = Tensor(W, requires_grad=True), Tensor(V)
    cost = penalty([w, frozen], 1.0)
    cost.backward()
    assert cost.item() > penalty([w], 1.0).item()
    assert frozen.grad is None


@pytest.mark.parametrize("penalty", [F.l1_penalty, F.l2_penalty])
def test_wrong_use(penalty):
    with pytest.raises(ArgumentError, match="there are no weights"):
        penalty([], 1.0)
    with pytest.raises(DtypeError, match="penalty"):
        penalty([W, V.astype(np.float32)], 1.0)
    w = Tensor(W.copy(), requires_grad=True)
    cost = penalty([w], 1.0)
    w.mark_changed()
    with pytest.raises(GraphError, match="penalty"):
        cost.backward()
