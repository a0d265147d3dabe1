"""The product of matrices and the dense layer."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import DtypeError, GraphError, ShapeError
from fastdl.shapes import ACTIVATIONS


def test_matmul(rng, check_gradients):
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    np.testing.assert_allclose(F.matmul(a, b).data, a @ b)
    check_gradients(lambda a, b: a @ b, a, b)


def test_matmul_of_transposed_views(rng, check_gradients):
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((2, 4))
    check_gradients(lambda a, b: a.T @ b.T, a, b)


STACKS = [
    ((2, 3, 4), (2, 4, 5)),
    ((2, 6, 3, 4), (2, 6, 4, 1)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (6, 4, 5)),
    ((1, 3, 4), (2, 4, 5)),
    ((6, 3, 4), (2, 1, 4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((4,), (2, 4, 5)),
    ((2, 3, 4), (4,)),
    ((0, 3, 4), (0, 4, 5)),
    ((2, 0, 4), (2, 4, 5)),
]


@pytest.mark.parametrize(("a", "b"), STACKS, ids=str)
def test_matmul_of_stacks_and_vectors(a, b, rng, check_gradients):
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    result = F.matmul(x, y)
    assert result.shape == np.matmul(x, y).shape
    np.testing.assert_allclose(result.data, x @ y, rtol=1e-12, atol=1e-13)
    check_gradients(lambda a, b: a @ b, x, y)


@pytest.mark.parametrize(("a", "b"), STACKS, ids=str)
@pytest.mark.parametrize("needed", ["a", "b"])
def test_gradients_of_stacks_that_are_needed(needed, a, b, rng):
    x = Tensor(rng.standard_normal(a).astype(np.float32), requires_grad=needed == "a")
    y = Tensor(rng.standard_normal(b).astype(np.float32), requires_grad=needed == "b")
    (x @ y).sum().backward()
    assert (x.grad is not None, y.grad is not None) == (needed == "a", needed == "b")
    of = x if needed == "a" else y
    assert of.grad.shape == of.shape
    assert of.grad.dtype == np.float32


def test_matmul_of_transposed_stacks(rng, check_gradients):
    q, k = rng.standard_normal((2, 2, 3, 4)), rng.standard_normal((2, 2, 5, 4))
    result = F.matmul(q, F.transpose(k, 0, 1, 3, 2))
    np.testing.assert_allclose(result.data, np.einsum("...ik,...jk->...ij", q, k))
    check_gradients(lambda q, k: q @ k.transpose(0, 1, 3, 2), q, k)


def test_arrays_and_stacks(rng):
    x, y = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 4, 5))
    np.testing.assert_allclose((x @ Tensor(y)).data, x @ y)


def test_a_changed_stack_is_noticed():
    a, b = (Tensor(np.ones((2, 3, 3)), requires_grad=True) for _ in range(2))
    y = a @ b
    b.mark_changed()
    with pytest.raises(GraphError, match="matmul"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (3, 4)),
        ((4,), (3, 4)),
        ((4,), (3,)),
        ((3, 4), (3,)),
        ((2, 3, 4), (3, 4)),
        ((2, 3, 4), (3, 4, 5)),
        ((2, 2, 3, 4), (3, 1, 4, 5)),
        ((), (3, 4)),
        ((3, 4), ()),
    ],
    ids=str,
)
def test_matmul_of_shapes_that_do_not_fit(a, b):
    with pytest.raises(ShapeError, match=r"^matmul: "):
        F.matmul(np.ones(a), np.ones(b))


def test_matmul_of_two_types():
    with pytest.raises(DtypeError, match=r"^matmul: "):
        F.matmul(np.ones((2, 3, 3)), np.ones((2, 3, 3), np.float32))


def test_a_product_of_stacks_that_is_too_large():
    a = np.broadcast_to(np.float32(1), (1 << 20, 1 << 15, 1))
    b = np.broadcast_to(np.float32(1), (1 << 20, 1, 1 << 15))
    with pytest.raises(ShapeError, match=r"^matmul: .*result"):
        F.matmul(a, b)


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("lead", [(3,), (), (2, 3), (0,)], ids=str)
def test_linear(lead, activation, rng, check_gradients):
    x = rng.standard_normal((*lead, 4))
    weight, bias = rng.standard_normal((4, 2)), rng.standard_normal(2)
    y = F.linear(x, weight, bias, activation)
    expected = F.activation(x @ weight + bias, activation).data
    assert y.shape == (*lead, 2)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-14)
    check_gradients(lambda *t: F.linear(*t, activation=activation), x, weight, bias)


def test_linear_without_bias(rng, check_gradients):
    check_gradients(F.linear, rng.standard_normal((3, 4)), rng.standard_normal((4, 2)))


@pytest.mark.parametrize("needed", ["x", "weight", "bias"])
def test_only_the_gradients_that_are_needed(needed, rng):
    x, weight, bias = (
        Tensor(rng.standard_normal(shape), requires_grad=name == needed)
        for name, shape in [("x", (3, 4)), ("weight", (4, 2)), ("bias", (2,))]
    )
    y = F.linear(x, weight, bias, "relu")
    gradients = y._node.backward(y._node, np.ones((3, 2)))
    names = ["x", "weight", "bias"]
    assert [g is not None for g in gradients] == [name == needed for name in names]
    kept = [any(value is t.data for value in y._node.saved) for t in (x, weight)]
    assert kept == [needed == "weight", needed == "x"]


@pytest.mark.parametrize(
    "kind", [kind for kind, row in ACTIVATIONS.items() if "linear" in row.fusable]
)
def test_a_fused_activation_is_one_node(kind):
    weight = Tensor(np.ones((4, 2)), requires_grad=True)
    assert (
        F.linear(np.ones((3, 4)), weight, activation=kind)._node.operation == "linear"
    )


def test_a_changed_weight_is_noticed():
    x, weight = (Tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))
    y = F.linear(x, weight)
    weight.mark_changed()
    with pytest.raises(GraphError, match="linear"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        ((3, 5), (4, 2), None),
        ((3, 2, 2, 1), (4, 2), None),
        ((), (4, 2), None),
        ((3, 4), (4, 2), (3,)),
        ((3, 4), (4, 2), (1, 2)),
        ((3, 4), (4,), None),
        ((2, 3, 4), (4,), None),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(x, weight, bias):
    with pytest.raises(ShapeError):
        F.linear(np.ones(x), np.ones(weight), bias and np.ones(bias))


def test_images_need_flattening():
    with pytest.raises(ShapeError, match=r"linear.*\(3, 2, 2, 1\).*Flatten"):
        F.linear(np.ones((3, 2, 2, 1)), np.ones((4, 2)))


def test_a_layer_of_other_features():
    with pytest.raises(
        ShapeError, match=r"^linear: .*nn\.Linear\(64, 10\), or None in place of 64"
    ):
        F.linear(np.ones((200, 64)), np.ones((63, 10)))
