"""The tensor as an array: construction, conversion, operators."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fastdl.functional as F  # noqa: F401 (completes Tensor)
from fastdl.autograd import Tensor, tensor
from fastdl.errors import DtypeError, GraphError, ShapeError


@pytest.mark.parametrize(
    "data",
    [1, 1.5, True, [1, 2], [1.5], np.arange(3), np.ones(2, bool), np.float16(2)],
    ids=[
        "int",
        "float",
        "bool",
        "ints",
        "floats",
        "int array",
        "bool array",
        "float16",
    ],
)
def test_numbers_become_float32(data):
    assert Tensor(data).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_arrays_keep_type_and_memory(dtype):
    array = np.ones((2, 3), dtype)
    x = Tensor(array)
    assert x.data is array
    assert x.numpy() is array


def test_dtype_converts():
    assert Tensor([1, 2], dtype=np.float64).dtype == np.float64
    assert Tensor(np.ones(2), dtype="float32").dtype == np.float32


def test_foreign_byte_order_is_converted():
    x = Tensor(np.array([1.0, 2.0], ">f4"))
    assert x.dtype == np.float32
    assert x.dtype.isnative
    assert x.data.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("data", ["text", None, [1j], [object()]])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(DtypeError, match="expected numbers"):
        Tensor(data)


def test_other_types_are_refused():
    with pytest.raises(DtypeError, match="float32 or float64, got int64"):
        Tensor([1.0], dtype=np.int64)


def test_a_tensor_of_a_tensor_shares_memory_but_no_graph():
    x = Tensor([1.0], requires_grad=True)
    y = Tensor(x * 2)
    assert not y.requires_grad
    assert np.shares_memory(Tensor(x).data, x.data)


def test_attributes():
    x = tensor(np.ones((2, 3, 4)))
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3, 4), 3, 24, 2)
    assert x.dtype == np.float64
    assert not x.requires_grad
    assert x.grad is None


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_backward_starts_from_one_in_the_shape_of_the_tensor(shape, dtype):
    x = Tensor(np.full(shape, 3, dtype), requires_grad=True)
    (x * x).backward()
    assert x.grad.shape == shape
    assert x.grad.dtype == dtype
    assert x.grad.item() == 6


def test_one_element_becomes_a_number():
    x = Tensor([[2.5]])
    assert x.item() == 2.5
    assert float(x) == 2.5
    assert isinstance(x.item(), float)
    assert bool(Tensor(1.0))
    assert not Tensor(0.0)


def test_many_elements_have_no_truth_value():
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor([1.0, 2.0]))


def test_iteration_gives_tensors_on_the_tape():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    with pytest.raises(TypeError):
        iter(Tensor(1.0))


def test_repr_shows_values_and_gradient():
    assert repr(Tensor(np.ones(2))) == "Tensor([1., 1.])"
    assert repr(Tensor(np.ones(2), True)) == "Tensor([1., 1.], requires_grad=True)"
    assert "float32" in repr(Tensor([1.0]))


def test_requires_grad_can_be_set_on_leaves_only():
    x = Tensor([1.0])
    x.requires_grad = True
    y = x * 2
    y.requires_grad = True
    with pytest.raises(GraphError, match="detach"):
        y.requires_grad = False
    y.sum().backward()
    assert x.grad.tolist() == [2.0]
    x.requires_grad = False
    assert not (x * 2).requires_grad


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_collects_its_own_gradient(duplicate):
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = duplicate(x)
    assert y.requires_grad
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3.0, 3.0]
    assert x.grad is None
    assert np.shares_memory(x.data, y.data) == (duplicate is copy.copy)


class Named(Tensor):
    def __init__(self, name, data):
        super().__init__(data, requires_grad=True)
        self.name = name


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_keeps_class_attributes_and_gradient(duplicate):
    x = Named("scale", np.ones(2))
    (x * 3).sum().backward()
    y = duplicate(x)
    assert (type(y), y.name) == (Named, "scale")
    assert y.grad.tolist() == [3.0, 3.0]
    (y * 3).sum().backward()
    assert y.grad.tolist() == [6.0, 6.0]
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_change_of_a_shallow_copy_is_noticed():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = copy.copy(x)
    loss = (x * x).sum()
    y.data[...] = 7
    y.mark_changed()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_a_result_cannot_be_copied_with_its_graph():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="detach"):
        copy.deepcopy(x * 2)


def test_the_operators_are_there_whatever_was_imported():
    code = "import fastdl; (fastdl.Tensor([2.0], True) * 3 + 1).sum().backward()"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


# With plain arrays


@pytest.mark.parametrize("other", [2, 2.0, np.float64(2), np.int64(2), np.array(2.0)])
def test_numbers_take_the_type_of_the_tensor(other):
    x = Tensor([1.0, 3.0], requires_grad=True)
    for result in (x * other, other * x):
        assert isinstance(result, Tensor)
        assert result.dtype == np.float32
        assert result.data.tolist() == [2.0, 6.0]


def test_arrays_on_the_left_make_tensors():
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    array = np.full((2, 2), 3.0)
    for result in (array + x, array - x, array * x, array / x, array @ x, array**x):
        assert isinstance(result, Tensor)
        assert result.requires_grad


def test_integer_arrays_and_lists_are_converted():
    x = Tensor(np.ones(2))
    assert (x + np.array([1, 2])).dtype == np.float64
    values = [1, 2]
    assert (x + values).data.tolist() == [2.0, 3.0]
    assert (values + x).data.tolist() == [2.0, 3.0]


def test_two_real_types_do_not_mix():
    with pytest.raises(DtypeError, match="float64"):
        Tensor([1.0]) + np.ones(1)
    with pytest.raises(DtypeError, match="multiply"):
        Tensor([1.0]) * Tensor(np.ones(1))


def test_numpy_functions_do_not_lose_the_tape_in_silence():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError):
        np.exp(x)


def test_a_tensor_converts_to_an_array():
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    assert np.shares_memory(np.asarray(x), x.data)
    assert np.array(x, dtype=np.float64).dtype == np.float64
    np.testing.assert_array_equal(x, [[1.0, 2.0]])


def test_comparisons_give_arrays():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert (x > 2).tolist() == [False, False, True]
    assert (x >= [1, 3, 3]).tolist() == [True, False, True]
    assert (x < x).tolist() == [False, False, False]
    assert (x <= 1).tolist() == [True, False, False]
    assert (x == 2).tolist() == [False, True, False]
    assert (np.float32([1, 0, 3]) != x).tolist() == [False, True, False]


def test_comparisons_do_not_broadcast_by_mistake():
    with pytest.raises(ShapeError):
        Tensor([1.0, 2.0]) == np.ones((2, 1), np.float32)  # noqa: B015


def test_tensors_are_dictionary_keys_by_identity():
    x, y = Tensor([1.0]), Tensor([1.0])
    table = {x: "x", y: "y"}
    assert table[x] == "x"
    assert table[y] == "y"


def test_a_number_is_formatted_as_pythons():
    loss = Tensor([0.12345])
    assert f"{loss:.2f} {loss:>8.3f}" == "0.12    0.123"
    assert f"{loss}" == str(loss)
    with pytest.raises(ValueError, match="size 1"):
        format(Tensor([1.0, 2.0]), ".2f")


def test_view_is_another_name_of_reshape():
    x = Tensor(np.arange(6.0))
    assert x.view(2, -1).shape == (2, 3)
    assert np.shares_memory(x.view(3, 2).data, x.data)
