"""Arithmetic: values, gradients, broadcasting."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

BINARY = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
SHAPES = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 3), (2, 1)),
    ((2, 3, 2), (1, 3, 1)),
    ((2, 3), ()),
    ((), ()),
    ((0, 3), (3,)),
]
UNARY = {
    "negative": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
}


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name, shapes, rng, check_gradients):
    a, b = (rng.uniform(0.5, 2, shape) for shape in shapes)
    function = getattr(F, name)
    np.testing.assert_allclose(function(a, b).data, BINARY[name](a, b), rtol=1e-14)
    check_gradients(function, a, b)


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name, rng, check_gradients):
    x = rng.uniform(0.5, 2, (3, 4)) * (rng.choice([-1, 1]) if name == "abs" else 1)
    function = getattr(F, name)
    np.testing.assert_allclose(function(x).data, UNARY[name](x), rtol=1e-14)
    check_gradients(function, x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 3 - x,
        lambda x: 3 / x,
        lambda x: 2**x,
        lambda x: -x + 1,
        lambda x: x**2,
        lambda x: x**-1.5,
        lambda x: abs(x - 1),
        lambda x: x.exp() * x.log() + x.sqrt() - x.abs(),
    ],
    ids=["3-x", "3/x", "2**x", "-x+1", "x**2", "x**-1.5", "abs(x-1)", "methods"],
)
def test_operators(function, rng, check_gradients):
    check_gradients(function, rng.uniform(1.5, 2, (2, 3)))


@pytest.mark.parametrize("name", [*BINARY, "where"])
@pytest.mark.parametrize(
    "shapes", [((3,), (3, 1)), ((2, 1), (1, 3)), ((3, 1), (4,))], ids=str
)
def test_broadcasting_never_hides_a_mistake(name, shapes):
    a, b = (np.ones(shape) for shape in shapes)
    arguments = (True, a, b) if name == "where" else (a, b)
    with pytest.raises(ShapeError, match=f"{name}.*stretched"):
        getattr(F, name)(*arguments)


@pytest.mark.parametrize("name", BINARY)
def test_shapes_that_do_not_fit(name):
    with pytest.raises(ShapeError, match=name):
        getattr(F, name)(np.ones((2, 3)), np.ones((2, 4)))


@pytest.mark.parametrize("name", BINARY)
def test_types_that_do_not_fit(name):
    with pytest.raises(DtypeError, match=name):
        getattr(F, name)(np.ones(2, np.float32), np.ones(2))


def test_equal_operands_share_the_gradient():
    a, b = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    (F.maximum(a, b) + F.minimum(a, b) * 10).sum().backward()
    assert a.grad.tolist() == [5.5, 5.5]
    assert b.grad.tolist() == [5.5, 5.5]


def test_power_at_zero():
    x = Tensor(np.zeros(1), requires_grad=True)
    (x**0 + x**1 + x**2).sum().backward()
    assert x.grad.tolist() == [1.0]
    exponent = Tensor(np.full(1, 2.0), requires_grad=True)
    (np.zeros(1) ** exponent).sum().backward()
    assert exponent.grad.tolist() == [0.0]


def test_the_absolute_value_has_slope_zero_at_zero():
    x = Tensor(np.array([-2.0, 0.0, 3.0]), requires_grad=True)
    x.abs().sum().backward()
    assert x.grad.tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("shapes", SHAPES[:6], ids=str)
def test_where(shapes, rng, check_gradients):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    condition = rng.random(np.broadcast_shapes(*shapes)) < 0.5
    y = F.where(condition, a, b)
    np.testing.assert_array_equal(y.data, np.where(condition, a, b))
    check_gradients(lambda a, b: F.where(condition, a, b), a, b)


def test_where_lets_no_nan_through():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = F.where([True, False], x, np.nan)
    y.backward([1.0, np.nan])
    assert x.grad.tolist() == [1.0, 0.0]


def test_where_stretches_numbers_to_the_condition():
    y = F.where([[True, False]], 1.0, 0.0)
    assert y.data.tolist() == [[1.0, 0.0]]


def test_astype_brings_the_gradient_back_in_the_old_type():
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    y = x.astype(np.float64)
    assert y.dtype == np.float64
    (y * y).sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2.0, 2.0]
    assert x.astype(np.float32) is x


def test_results_keep_their_type_without_axes():
    x = Tensor(np.float32(3), requires_grad=True)
    for y in (x + 1, x * x, F.exp(x), -x, x**2, F.maximum(x, 0), F.where(True, x, 0)):
        assert isinstance(y.data, np.ndarray)
        assert y.dtype == np.float32
        y.backward()
        assert x.grad.dtype == np.float32


def test_results_come_from_the_allocator(each_backend):
    x = Tensor(np.ones((3, 4)), requires_grad=True)
    results = [x + x, x - 1, x * 2, x / x, x**2, F.exp(x), F.sqrt(x), x.sum(0)]
    for y in results:
        base = y.data.base
        assert y.data.flags.c_contiguous
        assert (base is None) == (each_backend == "reference")


def test_gradient_of_a_bias_sums_over_the_examples():
    bias = Tensor(np.zeros(3), requires_grad=True)
    (Tensor(np.ones((4, 3))) + bias).sum().backward()
    assert bias.grad.tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("limits", [(-0.5, 0.7), (None, 0.7), (-0.5, None)], ids=str)
def test_clamp(limits, rng, check_gradients):
    x = rng.standard_normal((4, 5))
    np.testing.assert_array_equal(F.clamp(x, *limits).data, np.clip(x, *limits))
    check_gradients(lambda x: x.clamp(*limits), x)


def test_the_gradient_passes_at_the_limits():
    x = Tensor([-2.0, -1.0, 0.0, 1.0, 2.0, np.nan], requires_grad=True)
    y = x.clamp(-1, 1)
    y.sum().backward()
    np.testing.assert_array_equal(y.data, [-1, -1, 0, 1, 1, np.nan])
    assert x.grad.tolist() == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    "limits", [(), (1, 0), (None, np.nan), ("a", 1), ([0, 0], None)], ids=str
)
def test_clamp_needs_numbers_in_order(limits):
    with pytest.raises(ArgumentError, match="clamp: expected"):
        F.clamp(np.ones(2), *limits)


def test_clamp_says_which_limit_is_none():
    with pytest.raises(ArgumentError, match=r"max as one number.*array.*F\.minimum"):
        F.clamp(np.ones(2), 0, np.ones(2))
    with pytest.raises(ArgumentError, match="expected min as one number, not NaN"):
        F.clamp(np.ones(2), np.nan)
