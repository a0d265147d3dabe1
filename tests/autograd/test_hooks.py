"""Hooks on gradients, and gradients of results that are kept."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor, no_grad
from fastdl.errors import ArgumentError, GraphError, ShapeError


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


def seen_by(tensor):
    """Return a list of what arrives at a tensor."""
    seen = []
    tensor.register_hook(lambda gradient: seen.append(gradient.tolist()))
    return seen


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(1.0, 2.0)
    y = 2 * x
    of_x, of_y = seen_by(x), seen_by(y)
    (y * y + 3 * y + x).sum().backward()  # dy = 2 y + 3, dx = 2 dy + 1
    assert of_y == [[7, 11]]
    assert of_x == [[15, 23]]
    assert x.grad.tolist() == [15, 23]


def test_what_a_hook_returns_goes_on():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.register_hook(lambda gradient: 10 * gradient)
    y.register_hook(lambda gradient: gradient + 1)
    of_y = seen_by(y)
    x.register_hook(np.negative)
    y.sum().backward()
    assert of_y == [[11, 11]]
    assert x.grad.tolist() == [-33, -33]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [[1, 2], Tensor([1.0, 2.0]), np.array([1.0, 2.0])])
def test_a_hook_may_return_what_becomes_an_array(given, dtype):
    x = leaf(0.0, 0.0, dtype=dtype)
    y = x + 1
    y.register_hook(lambda gradient: given)
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]
    assert x.grad.dtype == dtype


def test_gradients_share_no_memory_with_what_a_hook_returned():
    given = np.ones(2)
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    z = x + y
    z.register_hook(lambda gradient: given)
    z.retain_grad()
    y.register_hook(lambda gradient: given)
    z.sum().backward()
    arrays = [given, x.grad, y.grad, z.grad]
    assert not any(
        np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i]
    )


def test_a_hook_may_not_write_into_the_gradient():
    x = leaf(1.0)
    x.register_hook(lambda gradient: np.multiply(gradient, 2, out=gradient))
    with pytest.raises(ValueError, match="read-only"):
        (x * x).backward()


def test_a_removed_hook_is_silent():
    x = leaf(1.0)
    seen = []
    handles = [x.register_hook(seen.append) for _ in range(2)]
    handles[0].remove()
    handles[0].remove()
    (x * x).backward()
    assert len(seen) == 1


def test_a_hook_may_remove_itself():
    x = leaf(1.0)
    seen = []

    def once(gradient):
        seen.append(gradient.item())
        handle.remove()

    handle = x.register_hook(once)
    for _ in range(2):
        (x * x).backward()
    assert seen == [2]


def test_hooks_of_each_pass():
    x = leaf(1.0)
    y = x * 2
    of_x, of_y = seen_by(x), seen_by(y)
    z = y * y
    z.backward(retain_graph=True)
    z.backward()
    assert of_y == [[4], [4]]
    assert of_x == [[8], [8]]
    assert x.grad.tolist() == [16]


def test_hooks_where_backward_starts():
    x, y = leaf(1.0), leaf(2.0)
    x.register_hook(lambda gradient: 5 * gradient)
    x.backward()
    z = 3 * y
    z.register_hook(lambda gradient: 7 * gradient)
    z.backward()
    assert x.grad.tolist() == [5]
    assert y.grad.tolist() == [21]


def test_the_gradient_of_a_result_is_kept():
    x = leaf(1.0, 2.0)
    y = x * x
    assert y.grad is None
    y.retain_grad()
    y.register_hook(lambda gradient: 2 * gradient)  # before it is kept
    z = y.sum()
    z.retain_grad()
    z.backward(retain_graph=True)
    assert z.grad.tolist() == 1
    assert y.grad.tolist() == [2, 2]
    z.backward()
    assert y.grad.tolist() == [4, 4]
    assert x.grad.tolist() == [8, 16]


def test_a_leaf_keeps_its_gradient_anyway():
    x = leaf(1.0)
    x.retain_grad()
    (2 * x).backward()
    assert x.grad.tolist() == [2]


def test_a_kept_gradient_keeps_no_tensor_alive():
    x = leaf(1.0)
    y = x * x
    y.retain_grad()
    seen, gone = seen_by(y), weakref.ref(y)
    z = y + 1
    del y
    gc.collect()
    assert gone() is None
    z.backward()
    assert seen == [[1]]


def test_the_name_of_the_operation_stays():
    y = leaf(1.0) * 2
    seen_by(y)
    assert repr(y._node) == "Node(multiply)"


def test_through_a_layer():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 3)), leaf(*rng.standard_normal((3, 2)))
    h = F.relu(F.linear(x, w))
    h.retain_grad()
    loss = F.mse_loss(h, np.zeros((4, 2)))
    loss.backward()
    np.testing.assert_allclose(h.grad, h.data / 4)
    np.testing.assert_allclose(w.grad, x.T @ (h.grad * (h.data > 0)))


def test_a_copy_has_no_hooks():
    x = leaf(1.0)
    seen = seen_by(x)
    y = copy.deepcopy(x)
    (y * y).backward()
    assert seen == []
    assert y.grad.tolist() == [2]


@pytest.mark.parametrize("method", ["register_hook", "retain_grad"])
def test_what_has_no_gradient(method):
    x = leaf(1.0)
    arguments = (print,) if method == "register_hook" else ()
    with no_grad():
        constant = x * 2
    with pytest.raises(GraphError, match=f"^{method}: this tensor needs no gradient"):
        getattr(constant, method)(*arguments)
    freed = x * 2
    freed.backward()
    with pytest.raises(GraphError, match=f"^{method}: this graph was freed"):
        getattr(freed, method)(*arguments)


def test_wrong_hooks():
    x = leaf(1.0)
    with pytest.raises(ArgumentError, match=r"^register_hook: .* got 3"):
        x.register_hook(3)
    x.register_hook(lambda gradient: np.ones(2))
    with pytest.raises(ShapeError, match=r"^register_hook: .*\(1,\), got \(2,\)"):
        (x * x).backward()
