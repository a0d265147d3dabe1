"""Memory shared with other libraries, and what NumPy makes of tensors."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, DtypeError, SharingError

VERSION = tuple(map(int, np.__version__.split(".")[:2]))
by_version = pytest.mark.skipif(VERSION < (2, 1), reason="NumPy 2.1 knows versions")


class Other:
    """An array of another library, that notes what it is asked for."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device, self.asked = array, device, []

    def __dlpack__(self, **options):
        self.asked.append(options)
        given = {name: value for name, value in options.items() if value is not None}
        return self.array.__dlpack__(**given)

    def __dlpack_device__(self):
        return self.device


@pytest.fixture
def array():
    return np.arange(12, dtype=np.float32).reshape(3, 4)


# To others ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "view", [lambda a: a, lambda a: a.T, lambda a: a[::2, 1::2], lambda a: a[:0]]
)
def test_others_read_the_memory_of_a_tensor(array, dtype, view):
    data = view(array.astype(dtype))
    there = np.from_dlpack(fastdl.Tensor(data))
    np.testing.assert_array_equal(there, data)
    assert (there.dtype, there.strides) == (data.dtype, data.strides)
    assert data.size == 0 or np.shares_memory(there, data)


def test_the_memory_outlives_the_tensor():
    there = np.from_dlpack(F.add(np.full(1000, 2.0), 1.0))
    gc.collect()
    others = [F.add(np.full(1000, 5.0), 1.0) for _ in range(10)]
    assert (there == 3).all()
    assert (others[0].numpy() == 6).all()


@by_version
def test_what_is_written_there_is_seen_here(array):
    t = fastdl.Tensor(array)
    np.from_dlpack(t)[0, 0] = 7
    assert t.numpy()[0, 0] == 7


@by_version
def test_a_change_there_is_told_to_the_tape(array):
    w = fastdl.Tensor(array, requires_grad=True)
    y = F.sum(w * w)
    np.from_dlpack(w.detach())[...] = 0
    w.mark_changed()
    with pytest.raises(fastdl.errors.GraphError, match="changed in place"):
        y.backward()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a: fastdl.Tensor(a, requires_grad=True), r"share its detach\(\)"),
        (lambda a: nn.Parameter(a) * 2.0, r"share its detach\(\)"),
        (lambda a: fastdl.Tensor(a).flip(0), "an axis is reversed; share a copy"),
        (lambda a: F.broadcast_to(a, (2, 3, 4)), "it is read-only; share a copy"),
    ],
)
def test_what_is_not_shared(array, make, message):
    """It is a BufferError too, as the protocol asks for."""
    for error in (SharingError, BufferError):
        with pytest.raises(error, match=f"__dlpack__: .*{message}"):
            np.from_dlpack(make(array))


def test_copies_are_shared_whatever_they_are_of(array):
    t = fastdl.Tensor(array).flip(0)
    there = np.from_dlpack(Capsule(t.__dlpack__(copy=True)))
    np.testing.assert_array_equal(there, array[::-1])
    assert not np.shares_memory(there, array)


class Capsule:
    """What a reader gets that asks by itself."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self, **_):
        return self.capsule

    def __dlpack_device__(self):
        return (1, 0)


def test_there_is_no_other_device(array):
    t = fastdl.Tensor(array)
    assert t.__dlpack_device__() == (1, 0)
    t.__dlpack__(dl_device=(1, 0))
    with pytest.raises(SharingError, match=r"memory of the CPU, not \(2, 0\)"):
        t.__dlpack__(dl_device=(2, 0))


# From others -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("view", [lambda a: a, lambda a: a.T, lambda a: a[::2, 1::2]])
def test_a_tensor_in_the_memory_of_another_array(array, dtype, view):
    data = view(array.astype(dtype))
    t = fastdl.from_dlpack(Other(data))
    assert type(t) is fastdl.Tensor
    assert not t.requires_grad
    assert t.dtype == dtype
    assert np.shares_memory(t.numpy(), data)
    data[0, 0] = 7
    assert t.numpy()[0, 0] == 7
    np.testing.assert_array_equal((t + 1.0).numpy(), data + 1)


def test_arrays_of_numpy_and_tensors(array):
    assert fastdl.from_dlpack(array).data is array
    w = nn.Parameter(array)
    t = fastdl.from_dlpack(w)
    assert t.data is w.data
    assert not t.requires_grad
    y = F.sum(w * w)
    t += 1.0  # the tape knows that it is the same memory
    with pytest.raises(fastdl.errors.GraphError, match="changed in place"):
        y.backward()


def test_a_read_only_array_stays_so(array):
    array.flags.writeable = False
    t = fastdl.from_dlpack(array)
    np.testing.assert_array_equal((t * 2.0).numpy(), array * 2)
    with pytest.raises(ValueError, match="read-only"):
        t += 1.0
    if VERSION >= (2, 1):
        assert not fastdl.from_dlpack(Other(array)).numpy().flags.writeable


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0], ArgumentError, r"got \[1.0\]; fastdl.Tensor takes lists and numbers"),
        (np.arange(3), DtypeError, "got int64; labels and indices are NumPy arrays"),
        (Other(np.ones(3, np.float16)), DtypeError, "float32 or float64, got float16"),
        (np.ones(3, ">f4"), DtypeError, "float32 or float64, got >f4"),
        (Other(np.ones(3, ">f4")), SharingError, "from_dlpack: .*byte order"),
        (Other(np.ones(3), (2, 0)), SharingError, "not in the memory of the CPU"),
    ],
)
def test_what_cannot_be_read(x, error, message):
    with pytest.raises(error, match=message):
        fastdl.from_dlpack(x)


# PyTorch -----------------------------------------------------------------------------


def test_tensors_of_torch(array):
    torch = pytest.importorskip("torch")
    there = torch.from_numpy(array)
    t = fastdl.from_dlpack(there.T)
    there += 1
    np.testing.assert_array_equal(t.numpy(), array.T)
    back = torch.from_dlpack(t)
    assert back.data_ptr() == there.data_ptr()
    assert back.shape == t.shape
    for view in (torch.as_tensor(t), torch.asarray(t)):
        assert view.data_ptr() == there.data_ptr()
    with pytest.raises(SharingError, match=r"from_dlpack: .*use tensor.detach\(\)"):
        fastdl.from_dlpack(torch.ones(3, requires_grad=True))
    for dtype in (torch.bfloat16, torch.int64):
        with pytest.raises((SharingError, DtypeError), match="from_dlpack: "):
            fastdl.from_dlpack(torch.ones(3, dtype=dtype))
    with pytest.raises(SharingError, match="reversed"):
        torch.from_dlpack(fastdl.Tensor(array).flip(0))


# NumPy -------------------------------------------------------------------------------


def test_arrays_of_tensors(array):
    t = fastdl.Tensor(array)
    assert np.asarray(t) is array
    assert not np.shares_memory(np.array(t), array)
    assert np.asarray(t, np.float64).dtype == np.float64
    assert t.__array__(copy=False) is array
    assert t.__array__(np.float32, copy=False) is array
    assert not np.shares_memory(t.__array__(copy=True), array)


def test_a_copy_that_is_forbidden(array):
    t = fastdl.Tensor(array)
    with pytest.raises(ValueError, match="float32 as float64 needs a copy"):
        t.__array__(np.float64, copy=False)
    if VERSION >= (2, 0):
        assert np.array(t, copy=False) is array
        with pytest.raises(ValueError, match="needs a copy"):
            np.array(t, np.float64, copy=False)
