"""Spreads, norms, logsumexp."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, ShapeError

AXES = [None, 0, -1, (0, 2), [1]]


def as_numpy(axis):
    return tuple(axis) if isinstance(axis, list) else axis


@pytest.mark.parametrize("correction", [0, 1, 0.5])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["var", "std"])
def test_spread(name, axis, keepdims, correction, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    function = getattr(F, name)
    expected = getattr(np, name)(
        x, axis=as_numpy(axis), ddof=correction, keepdims=keepdims
    )
    y = function(x, axis, keepdims, correction)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)
    assert y.shape == expected.shape
    check_gradients(lambda x: function(x, axis, keepdims, correction), x)


def test_the_variance_is_the_unbiased_one():
    x = Tensor([1.0, 3.0])
    assert x.var().item() == 2.0
    assert x.std(correction=0).item() == 1.0


def test_the_variance_of_numbers_far_from_zero():
    """The squares of such numbers minus the square of their mean would be noise."""
    x = np.arange(4, dtype=np.float32) + 4096
    assert F.var(x, correction=0).item() == 1.25


@pytest.mark.parametrize("shape", [(1000, 3), (3, 1000)], ids=str)
@pytest.mark.parametrize("name", ["var", "std"])
def test_the_spread_does_not_depend_on_a_rounded_mean(name, shape, rng):
    x = (1e6 + rng.standard_normal(shape)).astype(np.float32)
    axis = shape.index(1000)
    expected = getattr(np, name)(x.astype(float), axis, ddof=1)
    leaf = Tensor(x, requires_grad=True)
    y = getattr(F, name)(leaf, axis)
    np.testing.assert_allclose(y.data, expected, rtol=1e-6)
    y.sum().backward()  # sums to 0 along the axis, as the centred numbers do
    np.testing.assert_allclose(leaf.grad.sum(axis, dtype=float), 0, atol=1e-6)


def test_the_gradient_of_a_spread_of_equal_numbers_is_zero():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    x.std(1).sum().backward()
    assert (x.grad == 0).all()


@pytest.mark.parametrize("name", ["var", "std"])
def test_too_few_elements(name):
    message = rf"{name}: expected more than correction=1 .* axis=1 of \(3, 1\), got 1"
    with pytest.raises(ShapeError, match=message):
        getattr(F, name)(np.ones((3, 1)), 1)
    assert (getattr(F, name)(np.ones((3, 1)), 1, correction=0).data == 0).all()
    with pytest.raises(ShapeError, match=f"{name}: expected more than correction=0"):
        getattr(F, name)(np.ones((0, 1)), correction=0)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("p", [0.5, 1, 2, 3, 2.5, math.inf])
def test_norm(p, axis, keepdims, rng, check_gradients):
    x = rng.uniform(0.3, 2, (2, 3, 4)) * rng.choice([-1, 1], (2, 3, 4))
    axes = as_numpy(axis)
    if p == math.inf:
        expected = np.abs(x).max(axes, keepdims=keepdims)
    else:
        expected = (np.abs(x) ** p).sum(axes, keepdims=keepdims) ** (1 / p)
    y = F.norm(x, p, axis, keepdims)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)
    check_gradients(lambda x: F.norm(x, p, axis, keepdims), x)


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, math.inf])
def test_gradient_of_a_norm_where_elements_are_zero(p):
    """Where there is none the gradient is 0, for one element and for a whole row."""
    x = Tensor(np.array([[0.0, 0, 0], [0, -4, 0]]), requires_grad=True)
    y = x.norm(p, 1)
    assert y.data.tolist() == [0.0, 4.0]
    y.sum().backward()
    assert x.grad.tolist() == [[0.0, 0, 0], [0, -1, 0]]


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1.0, 1e30, 3e38])
def test_norms_of_huge_and_tiny_elements(size):
    x = Tensor(np.array([[size, 0], [0, -size]], np.float32), requires_grad=True)
    y = x.norm(axis=1)
    np.testing.assert_allclose(y.data, x.data[0, :1].repeat(2), rtol=2e-7)
    y.backward(np.ones(2, np.float32))
    np.testing.assert_allclose(x.grad, [[1.0, 0], [0, -1]], rtol=2e-7)


def test_norms_of_what_is_not_finite():
    assert F.norm([1.0, -np.inf]).item() == np.inf
    assert np.isnan(F.norm([1.0, np.nan]).item())
    assert F.norm(np.ones((0, 3)), axis=0).data.tolist() == [0.0, 0.0, 0.0]


def test_equal_largest_elements_share_the_gradient():
    x = Tensor(np.array([2.0, -2.0, 1.0]), requires_grad=True)
    x.norm(math.inf).backward()
    assert x.grad.tolist() == [0.5, -0.5, 0.0]


@pytest.mark.parametrize("p", [0, -1, "fro", None, math.nan, True])
def test_no_norm(p):
    with pytest.raises(ArgumentError, match="norm: p must be a number > 0"):
        F.norm(np.ones(2), p)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_logsumexp(axis, keepdims, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    expected = np.log(np.exp(x).sum(as_numpy(axis), keepdims=keepdims))
    y = F.logsumexp(x, axis, keepdims)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)
    check_gradients(lambda x: x.logsumexp(axis, keepdims), x)


def test_logsumexp_of_extreme_elements():
    inf = np.inf
    x = Tensor([[1e4, 1e4], [-1e4, -1e4], [-inf, 3], [-inf, -inf]], requires_grad=True)
    y = x.logsumexp(1)
    expected = [1e4 + math.log(2), -1e4 + math.log(2), 3, -inf]
    np.testing.assert_allclose(y.data, expected, rtol=1e-7)
    y.sum().backward()
    assert x.grad.tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 1], [0, 0]]
    assert F.logsumexp([inf, 0]).item() == inf
    assert F.logsumexp(np.ones((0, 2)), 0).data.tolist() == [-inf, -inf]


# Normalised vectors ------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("p", [1, 2, 3, math.inf])
def test_normalized_vectors_have_length_one(p, axis, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    y = F.normalize(x, p, axis)
    np.testing.assert_allclose(F.norm(y, p, axis).data, 1, rtol=1e-13)
    np.testing.assert_allclose(
        y.data * F.norm(x, p, axis, keepdims=True).data, x, rtol=1e-13
    )
    if p != math.inf:
        check_gradients(lambda x: F.normalize(x, p, axis), x)


def test_vectors_are_the_last_axis_and_lengths_euclidean_unless_told(rng):
    x = rng.standard_normal((2, 3, 4))
    np.testing.assert_array_equal(F.normalize(x).data, F.normalize(x, 2, -1).data)


def test_a_vector_of_zeros_stays_zero():
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    y = F.normalize(x)
    assert (y.data == 0).all()
    y.sum().backward()
    assert np.isfinite(x.grad).all()


def test_what_cannot_be_normalized():
    with pytest.raises(ShapeError, match="normalize"):
        F.normalize(np.ones((2, 3)), axis=2)
    with pytest.raises(ArgumentError, match="normalize: eps"):
        F.normalize(np.ones((2, 3)), eps=0)


def test_logsumexp_of_infinities_without_a_warning():
    inf = np.inf
    x = Tensor(np.array([[inf, 100, 0], [3e38, -inf, inf]], "f"), requires_grad=True)
    y = x.logsumexp(1)
    y.sum().backward()
    assert y.data.tolist() == [inf, inf]
    np.testing.assert_array_equal(x.grad, [[np.nan, 0, 0], [0, 0, np.nan]])
