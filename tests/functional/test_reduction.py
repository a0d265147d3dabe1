"""Sums, means, extremes, products."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, GraphError, ShapeError

AXES = [None, 0, -1, 1, (0, 2), [1], (-1, 0), (0, 1, 2)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_reduction(name, axis, keepdims, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    function = getattr(F, name)
    y = function(x, axis, keepdims)
    expected = getattr(np, name)(
        x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    )
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)
    check_gradients(lambda x: function(x, axis, keepdims), x)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "argmax", "argmin"])
def test_all_axes_go_away_unless_told(name, rng):
    x = rng.standard_normal((2, 3, 4))
    assert np.shape(getattr(F, name)(x)) == ()
    assert np.shape(getattr(F, name)(x, 1)) == (2, 4)


def test_methods_are_the_functions(check_gradients, rng):
    x = rng.standard_normal((2, 3))
    check_gradients(lambda x: x.sum(0) * x.mean(0) + x.max(axis=0) - x.min(axis=0), x)


@pytest.mark.parametrize(
    "name", ["sum", "mean", "max", "min", "prod", "var", "std", "norm", "logsumexp"]
)
@pytest.mark.parametrize("axis", [2, -3, (0, 0), (0, -2)], ids=str)
def test_axes_that_do_not_exist_or_repeat(name, axis):
    with pytest.raises(ShapeError, match=f"{name}.*axis="):
        getattr(F, name)(np.ones((2, 3)), axis=axis)


def test_nothing_to_reduce():
    x = Tensor(np.ones((0, 3)), requires_grad=True)
    assert x.sum(0).data.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(x.mean().data)
    with pytest.raises(ShapeError, match="no elements"):
        x.max()
    x.sum().backward()
    assert x.grad.shape == (0, 3)


def test_equal_maxima_share_the_gradient():
    x = Tensor(np.array([1.0, 2.0, 2.0]), requires_grad=True)
    x.max().backward()
    assert x.grad.tolist() == [0.0, 0.5, 0.5]


def test_a_maximum_is_nan_when_an_element_is():
    assert np.isnan(F.max(np.array([1.0, np.nan])).item())


def test_a_changed_operand_of_max_is_noticed():
    x = Tensor(np.ones(2), requires_grad=True)
    y = x.max()
    x.mark_changed()
    with pytest.raises(GraphError):
        y.backward()


# Places


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_extremes(name, axis, keepdims, rng):
    x = rng.standard_normal((2, 3, 4))
    places = getattr(F, name)(Tensor(x, requires_grad=True), axis, keepdims)
    expected = getattr(np, name)(x, axis, keepdims=keepdims)
    assert type(places) is np.ndarray
    assert places.dtype.kind == "i"
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(getattr(Tensor(x), name)(axis, keepdims), expected)


def test_the_first_of_equal_ones_and_nan_are_chosen():
    assert F.argmax(np.array([1.0, 3.0, 3.0])) == 1
    assert F.argmin([1.0, np.nan, 0.0]) == 1


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_no_place(name):
    with pytest.raises(
        ShapeError, match=rf"{name}: no elements along axis=1 of \(3, 0"
    ):
        getattr(F, name)(np.ones((3, 0)), 1)
    with pytest.raises(ShapeError, match=f"{name}: expected one axis from -2 to 1"):
        getattr(F, name)(np.ones((3, 2)), (0, 1))
    assert getattr(F, name)(np.ones((0, 2)), 1).shape == (0,)


# Products


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("zeros", [0, 1, 2, 24])
def test_prod(zeros, axis, keepdims, rng, check_gradients):
    """The gradient is right with no zero, one, several, and nothing but zeros."""
    x = rng.uniform(0.5, 2, (2, 3, 4))
    x.reshape(-1)[rng.permutation(24)[:zeros]] = 0
    expected = x.prod(
        tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    )
    np.testing.assert_allclose(F.prod(x, axis, keepdims).data, expected, rtol=1e-13)
    check_gradients(lambda x: F.prod(x, axis, keepdims), x)


def test_prod_of_nothing_and_of_one():
    x = Tensor(np.ones((0, 3)), requires_grad=True)
    y = x.prod(0)
    assert y.data.tolist() == [1.0, 1.0, 1.0]
    y.sum().backward()
    assert x.grad.shape == (0, 3)
    x = Tensor(np.array(5.0), requires_grad=True)
    F.prod(x).backward()
    assert x.grad == 1.0


# Running sums


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cumsum(axis, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    np.testing.assert_allclose(F.cumsum(x, axis).data, np.cumsum(x, axis), rtol=1e-14)
    check_gradients(lambda x: x.cumsum(axis), x)


def test_long_running_sums_keep_their_digits():
    x = Tensor(np.full(1_000_000, 0.1, np.float32), requires_grad=True)
    y = x.cumsum(0)
    assert y.dtype == np.float32
    assert y.data[-1] == pytest.approx(np.float32(0.1).astype(float) * 1e6, rel=1e-7)
    y.backward(x.data)
    assert x.grad[0] == pytest.approx(np.float32(0.1).astype(float) * 1e6, rel=1e-7)


@pytest.mark.parametrize("axis", [None, 2, (0,), 1.0])
def test_cumsum_needs_an_axis(axis):
    with pytest.raises(ShapeError, match="cumsum: expected one axis from -2 to 1"):
        F.cumsum(np.ones((2, 3)), axis)


@pytest.mark.parametrize("name", ["max", "min"])
def test_the_axis_of_an_extreme_is_named(name, rng):
    """PyTorch's ``_, predicted = out.max(1)`` would unpack rows."""
    x = Tensor(rng.standard_normal((2, 3)))
    with pytest.raises(ArgumentError, match=rf"^{name}: .*axis=1\) gives .* arg{name}"):
        getattr(x, name)(1)
    np.testing.assert_array_equal(
        getattr(x, name)(axis=1, keepdims=True).data,
        getattr(x.data, name)(1, keepdims=True),
    )
