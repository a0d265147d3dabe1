"""The tape: graphs, their order, their memory, and their misuse."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import (
    Tensor,
    final_gradients,
    is_recording,
    no_grad,
    record,
    tracing,
)
from fastdl.errors import GraphError, ShapeError


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


def test_minimum_of_a_polynomial_given_as_data():
    """S05: w^2 - 10 w + 25, its coefficients changeable between the steps."""
    w = Tensor(0.0, requires_grad=True, dtype=np.float64)
    coefficients = np.array([[1.0], [-10.0], [25.0]])

    def step():
        x = coefficients
        cost = x[0][0] * w**2 + x[1][0] * w + x[2][0]
        w.grad = None
        cost.backward()
        with no_grad():
            w.data -= 0.01 * w.grad

    step()
    assert round(w.item(), 12) == 0.1
    for _ in range(1000):
        step()
    assert f"{w.item():.8f}" == "4.99999999"

    coefficients[:] = [[1.0], [-20.0], [100.0]]  # (w - 10)^2
    for _ in range(1000):
        step()
    assert f"{w.item():.6f}" == "10.000000"


def test_a_tensor_used_twice_gets_the_sum():
    x = leaf(3.0)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [7.0]


def test_a_diamond_visits_each_node_once():
    calls = []

    def _twice_backward(node, dy):
        calls.append(dy.copy())
        return (2 * dy,)

    x = leaf(1.0)
    y = record(2 * x.data, _twice_backward, (x._node,))
    (y * 3 + y * 4).sum().backward()
    assert [dy.tolist() for dy in calls] == [[7.0]]
    assert x.grad.tolist() == [14.0]


def test_a_node_waits_for_the_longest_path():
    x = leaf(1.0)
    y = 2 * x
    long = ((y + 1) + 1) + 1
    (y * long).sum().backward()
    assert x.grad.tolist() == [14.0]  # d (2x (2x + 3)) = 8x + 6


def test_gradients_accumulate_over_two_passes():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]


def test_a_retained_graph_runs_again():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_a_freed_graph_refuses_a_second_pass():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()
    assert x.grad.tolist() == [2.0]


def test_a_freed_part_of_a_graph_is_noticed_before_any_gradient():
    x, w = leaf(1.0), leaf(2.0)
    shared = x * x
    first, second = shared.sum(), (shared * w).sum()
    first.backward()
    with pytest.raises(GraphError, match="freed"):
        second.backward()
    assert w.grad is None


def test_deep_chains_do_not_meet_the_recursion_limit():
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0]


def test_a_deep_chain_that_is_dropped_unused_does_not_overflow_the_stack():
    y = leaf(1.0)
    for _ in range(100_000):
        y = y + 1
    del y


def test_backward_starts_from_one_number_or_a_given_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"shape \(2,\).*\.mean\(\)"):
        (x * 2).backward()
    (x * 2).backward([1, 10])
    assert x.grad.tolist() == [2.0, 20.0]


def test_a_given_gradient_needs_the_shape_of_the_tensor():
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError, match="gradient"):
        (x * 2).backward(np.ones((2, 1)))


def test_backward_from_a_leaf_is_its_own_gradient():
    x = leaf(1.0)
    x.backward()
    assert x.grad.tolist() == [1.0]


def test_backward_without_requires_grad_is_an_error():
    with pytest.raises(GraphError, match="requires_grad=True"):
        Tensor([1.0]).sum().backward()


# What is not computed


def test_no_grad_records_nothing():
    x = leaf(1.0)
    with no_grad():
        y = x * x
        assert not is_recording()
    assert not y.requires_grad
    assert (x * x).requires_grad


def test_no_grad_decorates_and_nests():
    x = leaf(1.0)

    @no_grad()
    def square():
        with no_grad():
            pass
        return x * x

    assert not square().requires_grad
    assert not square().requires_grad
    assert (x * x).requires_grad


def test_one_no_grad_can_be_used_again_and_inside_itself():
    pause = no_grad()
    for _ in range(2):
        with pause, pause:
            assert not is_recording()
        assert is_recording()


def test_no_grad_decorates_a_recursive_function():
    @no_grad()
    def recurse(depth):
        assert not is_recording()
        if depth:
            recurse(depth - 1)
            assert not is_recording()

    recurse(2)
    assert is_recording()


def test_no_grad_ends_when_an_error_leaves_it():
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert is_recording()


def test_no_grad_holds_for_its_thread_alone():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_recording()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_operands_without_gradient_have_no_node():
    x, w = Tensor([1.0]), leaf(2.0, dtype=np.float32)
    y = x * w
    assert y._node.inputs == (None, w._node)
    y.sum().backward()
    assert x.grad is None


def test_a_node_keeps_only_what_its_gradients_need():
    x, w = Tensor([1.0]), leaf(2.0, dtype=np.float32)
    first, _, second, _ = (x * w)._node.saved
    assert first is x.data
    assert second is None


def test_detach_cuts_the_graph_and_shares_memory():
    x = leaf(3.0)
    y = x * x
    assert np.shares_memory(y.detach().data, y.data)
    (y.detach() * x).sum().backward()
    assert x.grad.tolist() == [9.0]


# Changes in place


def test_a_changed_leaf_is_noticed():
    x, w = leaf(1.0), leaf(2.0)
    loss = (x * w).sum()
    with no_grad():
        w -= 1.0
    with pytest.raises(GraphError, match=r"multiply needs .* changed in place"):
        loss.backward()
    assert x.grad is None


def test_an_optimisers_step_is_noticed():
    w = leaf(2.0)
    loss = (w * w).sum()
    w.data[...] = 0
    w.mark_changed()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_a_changed_result_is_noticed_by_the_node_that_saved_it():
    x = leaf(1.0)
    y = F.exp(x)
    with no_grad():
        y[0] = 0.0
    with pytest.raises(GraphError, match="exp needs"):
        y.sum().backward()


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.detach(),
        lambda x: x.reshape(1, 2),
        lambda x: x.T,
        lambda x: x[:1],
        lambda x: x[0],
        lambda x: F.broadcast_to(x, (2, 2)).detach(),
        Tensor,
    ],
    ids=[
        "detach",
        "reshape",
        "transpose",
        "slice",
        "element",
        "broadcast_to",
        "Tensor",
    ],
)
def test_a_change_through_a_view_is_noticed(view):
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    with no_grad():
        view(x).mark_changed()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_a_change_of_what_was_not_saved_is_harmless():
    x, w = leaf(1.0), leaf(2.0)
    loss = (x + w).sum()
    with no_grad():
        w += 5.0
    loss.backward()
    assert w.grad.tolist() == [1.0]


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: x.T.reshape(-1),
        lambda x: x[[0]],
        lambda x: x.astype(np.float32),
        lambda x: Tensor(x, dtype=np.float32),
    ],
    ids=["reshape", "index", "astype", "Tensor"],
)
def test_a_change_of_a_copy_is_harmless(copy):
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    loss = (x * x).sum()
    with no_grad():
        copy(x).mark_changed()
    loss.backward()
    assert (x.grad == 2).all()


def test_an_operand_that_no_gradient_needs_may_change():
    """x is changed, but its gradient reads only w."""
    x, w = leaf(1.0), leaf(2.0)
    w.requires_grad = False
    loss = (x / w + x * 3).sum()
    with no_grad():
        x += 5.0
    loss.backward()
    assert x.grad.tolist() == [3.5]


def test_one_element_is_a_view():
    x = Tensor([1.0, 2.0])
    x[0].data[...] = 7
    assert x.data.tolist() == [7.0, 2.0]


def test_a_change_before_the_operation_is_harmless():
    w = leaf(2.0)
    with no_grad():
        w *= 2.0
    (w * w).sum().backward()
    assert w.grad.tolist() == [8.0]


def test_a_leaf_refuses_changes_while_recording():
    w = leaf(2.0)
    with pytest.raises(GraphError, match="no_grad"):
        w -= 1.0
    with pytest.raises(GraphError, match="no_grad"):
        w[0] = 1.0
    assert w.item() == 2.0


def test_assigning_a_value_with_gradient_is_refused():
    buffer, x = Tensor(np.zeros(2)), leaf(1.0)
    with pytest.raises(GraphError, match="no_grad"):
        buffer[:1] = x


def test_adding_in_place_to_a_result_makes_a_new_tensor():
    x = leaf(3.0)
    total = Tensor(np.zeros(1))
    for _ in range(2):
        total += x * x
    total.sum().backward()
    assert x.grad.tolist() == [12.0]


def test_without_gradient_in_place_means_in_place():
    x = Tensor([1.0, 2.0])
    memory = x.data
    x += 1
    x *= [2, 3]
    x /= 2
    x -= Tensor([1.0, 0.0])
    x[0] = 7
    assert x.data is memory
    assert memory.tolist() == [7.0, 4.5]


def test_in_place_cannot_change_the_shape():
    x = Tensor([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"\+="):
        x += np.ones((3, 2), np.float32)


# Memory


def test_a_gradient_never_shares_memory():
    """Not with dy, not with the gradient of another leaf."""
    a, b, c, d, e, f = leaves = [leaf(1.0, 2.0) for _ in range(6)]
    dy = np.ones(4)
    F.concatenate([a + b, c + d.reshape(2)]).backward(dy)
    (e + f).sum().backward()
    arrays = [dy, *(x.grad for x in leaves)]
    for i, first in enumerate(arrays):
        for second in arrays[i + 1 :]:
            assert not np.shares_memory(first, second)


def test_a_new_gradient_is_taken_without_a_copy():
    gradient = np.ones(2)

    def _new_backward(node, dy):
        return (gradient,)

    x = leaf(1.0, 2.0)
    record(x.data, _new_backward, (x._node,)).sum().backward()
    assert x.grad is gradient


def test_a_gradient_is_contiguous_whatever_computed_it():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    x.astype(np.float32).T.sum(0).sum().backward()
    assert x.grad.flags.c_contiguous


def test_a_gradient_given_to_a_leaf_is_copied():
    x, dy = leaf(1.0), np.ones(1)
    x.backward(dy)
    x.backward(dy)
    assert dy.tolist() == [1.0]


def test_gradients_go_where_the_optimiser_wants_them():
    flat = np.full(5, np.nan)
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0, 5.0)
    x._grad_view, w._grad_view = flat[:2], flat[2:]
    (x * x).sum().backward()
    (w * w).sum().backward()
    assert np.shares_memory(x.grad, flat)
    assert flat.tolist() == [2, 4, 6, 8, 10]
    (x * x).sum().backward()
    assert flat.tolist() == [4, 8, 6, 8, 10]
    x.grad = None
    (x * x).sum().backward()
    assert flat.tolist() == [2, 4, 6, 8, 10]


def test_backward_frees_what_the_graph_saved():
    x = leaf(1.0, 2.0)
    hidden = x * x
    loss = (hidden * hidden).sum()
    saved = weakref.ref(hidden.data)
    del hidden
    assert saved() is not None
    loss.backward()
    assert saved() is None


def test_results_that_no_gradient_needs_are_freed_at_once():
    x = leaf(1.0, 2.0)
    hidden = x + 1
    array = weakref.ref(hidden.data)
    loss = (hidden + 1).sum()
    del hidden
    assert array() is None
    loss.backward()


def test_an_unused_graph_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = leaf(1.0)
        y = F.exp(x) * x
        node, tensor = y._node, weakref.ref(x)
        array = weakref.ref(node.saved[0])
        del x, y, node
        assert tensor() is None
        assert array() is None
    finally:
        gc.enable()


def test_a_leaf_that_is_gone_does_not_disturb_the_others():
    w = leaf(2.0)
    (leaf(3.0) * w).sum().backward()
    assert w.grad.tolist() == [3.0]


def test_a_backward_function_with_a_wrong_shape_is_named():
    def _broken_backward(node, dy):
        return (np.ones(3),)

    x = leaf(1.0)
    with pytest.raises(ShapeError, match="a gradient"):
        record(x.data, _broken_backward, (x._node,)).backward()


def test_a_node_shows_its_operation():
    x = leaf(1.0)
    y = (x * x).sum()
    assert repr(y._node) == "Node(sum)"
    y.backward()
    assert repr(y._node) == "Node(used)"


# Tracing


def test_a_trace_has_all_operands():
    """With or without gradients; constants are nodes without an operation."""
    w = Tensor([2.0], requires_grad=True)
    with no_grad(), tracing() as trace:
        x = Tensor(np.ones((3, 1), np.float32))
        y = (x.detach() * w + 1).sum(axis=0)
    constant, product, one, total, result = trace
    assert [node.operation for node in trace] == [
        "used",
        "multiply",
        "used",
        "add",
        "sum",
    ]
    assert x._node is constant
    assert product.inputs == (constant, w._node)
    assert total.inputs == (product, one)
    assert y._node is result
    assert result.inputs == (total,)
    assert [shape for shape, _ in trace.values()] == [(3, 1), (3, 1), (), (3, 1), (1,)]
    np.testing.assert_array_equal(one.arguments[0], 1)


def test_a_trace_ends_and_leaves_the_tape_as_it_was():
    w = Tensor([2.0], requires_grad=True)
    with tracing() as outer, tracing() as inner:
        w * 3
    w * 4
    assert not outer
    assert len(inner) == 2
    assert is_recording()
    (w * w).sum().backward()
    assert w.grad == 4
    with no_grad():
        assert not is_recording()
        assert (w * 2)._node is None


def test_gradients_are_told_when_they_are_final():
    """Once each, the last layer first, with the whole gradient."""
    a, b, c = (
        Tensor(np.full(2, value), requires_grad=True) for value in (2.0, 3.0, 5.0)
    )
    told = []
    with final_gradients(lambda tensor: told.append((tensor, tensor.grad.copy()))):
        ((a * b + a) * c).sum().backward()
    assert [tensor for tensor, _ in told] == [c, a, b]
    for tensor, gradient in told:
        np.testing.assert_array_equal(gradient, tensor.grad)
    told.clear()
    (a * b).sum().backward()
    assert not told
