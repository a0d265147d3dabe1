"""Sums of arrays: compiled against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# Around the lanes of every vector, several spans, and more than a cache.
SIZES = [0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 40_001, 2**22 + 3]


def operands(n, dtype):
    a, b = np.random.default_rng(0).standard_normal((2, n)).astype(dtype)
    for array in (a, b):
        array.flags.writeable = False
    return a, b


@pytest.mark.parametrize("n", SIZES)
def test_equals_reference(n, isa, dtype, same_bits_for_threads):
    a, b = operands(n, dtype)
    y = kernels.add(a, b)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, reference.add(a, b))
    same_bits_for_threads(lambda: kernels.add(a, b))


@pytest.mark.parametrize("n", [5, 40_001, 2**22])
def test_in_place(n, isa, dtype):
    a, b = operands(n, dtype)
    expected = a + b
    out = np.full(n, np.nan, dtype)
    assert kernels.add(a, b, out=out) is out
    np.testing.assert_array_equal(out, expected)
    for x, y in ((a, b.copy()), (b.copy(), a)):
        out = y if x is a else x
        assert kernels.add(x, y, out=out) is out
        np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(kernels.add(a, a), 2 * a)


def test_views_give_the_result_of_their_copies(dtype):
    a, b = (array.reshape(20, 30)[::2, ::-3] for array in operands(600, dtype))
    np.testing.assert_array_equal(kernels.add(a, b), a + b)
    one = np.array(1.5, dtype)
    assert kernels.add(one, one).shape == ()


def test_special_numbers(isa, dtype):
    a = np.array([np.nan, np.inf, np.inf, -0.0, -0.0], dtype)
    b = np.array([1, 1, -np.inf, -0.0, 0.0], dtype)
    with np.errstate(invalid="ignore"):
        expected = a + b
    y = kernels.add(a, b)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(np.signbit(y[3:]), np.signbit(expected[3:]))


def test_wrong_arguments():
    x = np.ones(3, np.float32)
    with pytest.raises(
        ShapeError, match=r"add: expected b of shape \(3,\), got \(1,\)"
    ):
        kernels.add(x, x[:1])
    with pytest.raises(DtypeError, match="b is float64"):
        kernels.add(x, np.ones(3))
    with pytest.raises(ShapeError, match="expected out of shape"):
        kernels.add(x, x, out=np.ones(4, np.float32))
    room = np.ones(5, np.float32)
    for a, b in ((room[:4], np.ones(4, np.float32)), (room[1:], room[:4])):
        with pytest.raises(ArgumentError, match="add: "):
            kernels.add(a, b, out=room[1:])
