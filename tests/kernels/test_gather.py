"""gather: compiled against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError

ROWS = {
    "numbers": (),
    "one": (1,),
    "around a vector": (17,),
    "picture": (32, 32, 3),
    "large picture": (150, 151, 3),
    "nothing": (0, 3),
}
TYPES = ["uint8", "float32", "float64", "int64", "int8", "bool", "float16"]


def problem(row, type_, m=40, n=23):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (m, *row)).astype(type_)
    x.flags.writeable = False
    return x, rng.integers(0, m, n)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_equals_reference(row, type_, isa, same_bits_for_threads):
    x, indices = problem(row, type_)
    actual, expected = kernels.gather(x, indices), reference.gather(x, indices)
    assert actual.dtype == expected.dtype
    assert actual.flags.writeable
    np.testing.assert_array_equal(actual, expected)
    same_bits_for_threads(lambda: kernels.gather(x, indices))


def test_all_bytes(isa):
    x = np.arange(256, dtype=np.uint8).reshape(-1, 1)
    y = kernels.gather(x, np.arange(256))
    np.testing.assert_array_equal(y[:, 0], np.arange(256, dtype=np.float32) / 255)


def test_views_and_foreign_byte_orders():
    x, indices = problem((6, 5), "float32")
    for view in (x[:, ::2], x[::2].T, x.astype(">f4"), x.astype("uint8")[:, :, ::-1]):
        some = indices % len(view)
        y = kernels.gather(view, some)
        assert y.dtype.isnative
        np.testing.assert_array_equal(y, reference.gather(view, some))


def test_no_rows_of_nothing():
    assert kernels.gather(np.zeros((0, 3)), np.arange(0)).shape == (0, 3)
    assert kernels.gather(np.zeros((4, 3)), np.arange(0)).shape == (0, 3)


@pytest.mark.parametrize("kind", ["int32", "uint8", "uint64"])
def test_indices_of_any_integer_type(kind):
    x, indices = problem((3,), "float32")
    np.testing.assert_array_equal(
        kernels.gather(x, indices.astype(kind)), reference.gather(x, indices)
    )


def test_wrong_arguments():
    x = np.zeros((5, 2))
    with pytest.raises(ArgumentError, match="gather: expected indices from 0 to 4"):
        kernels.gather(x, np.array([0, 5]))
    with pytest.raises(ArgumentError, match="got -1 to 2"):
        kernels.gather(x, np.array([2, -1]))
    with pytest.raises(ArgumentError, match="from 0 to -1"):
        kernels.gather(x[:0], np.array([0]))
    with pytest.raises(DtypeError, match="integer indices"):
        kernels.gather(x, np.array([1.0]))
    with pytest.raises(ShapeError, match="indices"):
        kernels.gather(x, np.array(1))
    with pytest.raises(DtypeError, match="expected numbers"):
        kernels.gather(np.array([None, "a"]), np.array([1]))


SHAPES = [
    # (shape of x, axis, number of indices)
    ((5, 3), 0, 9),
    ((1000, 17), 0, 400),
    ((3000, 64), 0, 100),
    ((40, 33, 5), 1, 70),
    ((2, 3, 50), 2, 200),
    ((300,), 0, 1000),
    ((6, 4), 0, 0),
    ((0, 4), 0, 0),
    ((4, 0), 0, 3),
    ((0, 3, 4), 1, 5),
]


@pytest.mark.parametrize(("shape", "axis", "n"), SHAPES, ids=str)
def test_gradient_equals_reference(shape, axis, n, isa, dtype, same_bits_for_threads):
    rng = np.random.default_rng(0)
    count = shape[axis]
    indices = rng.integers(0, max(count, 1), n)
    size = (*shape[:axis], n, *shape[axis + 1 :])
    dy = rng.standard_normal(size).astype(dtype)
    dx = kernels.gather_backward(dy, indices, count, axis)
    expected = reference.gather_backward(dy, indices, count, axis)
    assert dx.shape == shape
    assert dx.dtype == dtype
    np.testing.assert_array_equal(dx, expected)  # added in one order
    same_bits_for_threads(lambda: kernels.gather_backward(dy, indices, count, axis))
    np.testing.assert_array_equal(
        kernels.gather_backward(np.asfortranarray(dy), indices, count, axis), dx
    )


def test_wrong_gradients():
    dy = np.zeros((4, 3))
    with pytest.raises(ShapeError, match=r"an axis 0 of size 2, .*, got \(4, 3\)"):
        kernels.gather_backward(dy, np.array([0, 1]), 5)
    with pytest.raises(ArgumentError, match="from 0 to 4, got 0 to 5"):
        kernels.gather_backward(dy[:2], np.array([0, 5]), 5)
    with pytest.raises(DtypeError, match="dy"):
        kernels.gather_backward(dy[:2].astype(int), np.array([0, 1]), 5)
    for axis in (-1, 2):
        with pytest.raises(ShapeError, match="axis"):
            kernels.gather_backward(dy[:2], np.array([0, 1]), 5, axis)
