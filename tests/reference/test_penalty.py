"""Penalties and the limit of norms, against their definitions (S19, S20)."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import reference

W = np.array([[1.5, -2.0, 0.0], [0.25, 3.0, -0.5]])


def test_l1_penalty_forward():
    assert reference.l1_penalty_forward(W, 0.5) == 0.5 * 7.25


def test_l2_penalty_forward():
    assert reference.l2_penalty_forward(W, 0.5) == 0.25 * (W**2).sum()


@pytest.mark.parametrize("name", ["l1_penalty", "l2_penalty"])
def test_derivative(name, numeric_gradient):
    w, dy = W + (W == 0), np.array(1.5)
    forward = getattr(reference, f"{name}_forward")
    dw = getattr(reference, f"{name}_backward")(dy, w, 0.5)
    expected = numeric_gradient(lambda x: forward(x, 0.5), w, dy)
    np.testing.assert_allclose(dw, expected, rtol=1e-8)


def test_l1_penalty_backward_at_zero():
    w = np.array([0.0, -0.0, 2.0, -2.0, np.nan])
    dw = reference.l1_penalty_backward(np.array(2.0), w, 3.0)
    np.testing.assert_array_equal(dw, [0, 0, 6, -6, np.nan])


def test_l2_penalty_backward():
    dw = reference.l2_penalty_backward(np.array(2.0), W, 3.0)
    np.testing.assert_array_equal(dw, 6 * W)


def test_max_norm_step():
    """Only columns above the limit are scaled, and then to it."""
    w = np.array([[3.0, 0.3, 0.0], [-4.0, 0.4, 0.0]])
    expected = np.array([[0.6, 0.3, 0.0], [-0.8, 0.4, 0.0]])
    reference.max_norm_step(w, limit=1.0)
    np.testing.assert_allclose(w, expected, rtol=1e-15)
    assert (w[:, 1:] == expected[:, 1:]).all()
