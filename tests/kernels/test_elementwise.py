"""Sums, powers and copies of arrays: compiled against the reference."""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
import pytest

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# Around the lanes of every vector, several spans, and more than a cache.
SIZES = [0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 40_001, 2**22 + 3]


@cache  # the same for each instruction set
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


EXPONENTS = [n / 2 for n in range(-10, 13)]  # the last two are NumPy's
BEYOND = [0.3, -7, 1e6, -2.25, 1e300]


def ulps(y, exact):
    """Return the errors in units of the last place of the exact results."""
    return np.abs(y - exact) / np.spacing(np.abs(exact).astype(y.dtype))


@cache
def powers(n, exponent, dtype):
    """Return x and dy, and the exact powers and slopes."""
    x, dy = np.random.default_rng(0).uniform(0.01, 9, (2, n)).astype(dtype)
    if exponent % 1 == 0:
        x[::2] *= -1
    exact = x.astype(np.longdouble)
    return x, dy, exact**exponent, exponent * exact ** (exponent - 1)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("n", [0, 1, 7, 16, 17, 40_001])
def test_powers(n, exponent, dtype, isa, same_bits_for_threads):
    x, dy, exact, slope = powers(n, exponent, dtype)
    y, dx = kernels.power(x, exponent), kernels.power_backward(dy, x, exponent)
    assert y.dtype == dx.dtype == dtype
    if n:
        assert ulps(y, exact).max() <= 4
    np.testing.assert_allclose(dx, dy * slope, rtol=6 * np.finfo(dtype).eps)
    same_bits_for_threads(lambda: kernels.power(x, exponent))
    same_bits_for_threads(lambda: kernels.power_backward(dy, x, exponent))


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_of_special_numbers(exponent, isa, dtype):
    x = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan] * 3, dtype)

    def pow_(e):  # NumPy's shortcut for the one number 0.5 knows less of them
        with np.errstate(all="ignore"):
            return np.power(x, np.full_like(x, e))

    y, expected = kernels.power(x, exponent), pow_(exponent)
    np.testing.assert_array_equal(y, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y)[numbers], np.signbit(expected)[numbers])
    slope = (
        x.dtype.type(exponent) * pow_(exponent - 1) if exponent else np.zeros_like(x)
    )
    dx = kernels.power_backward(np.ones_like(x), x, exponent)
    np.testing.assert_array_equal(dx, slope)


@pytest.mark.parametrize("exponent", BEYOND)
def test_other_powers_are_those_of_numpy(exponent, dtype):
    x, dy = np.random.default_rng(0).uniform(0.5, 2, (2, 99)).astype(dtype)
    for name, arrays in (("power", (x,)), ("power_backward", (dy, x))):
        np.testing.assert_array_equal(
            getattr(kernels, name)(*arrays, exponent),
            getattr(reference, name)(*arrays, exponent),
        )


def test_large_powers_past_the_caches(isa):
    x = np.random.default_rng(0).uniform(1, 2, 2**22 + 3).astype(np.float32)
    np.testing.assert_array_equal(kernels.power(x, 2), x * x)


def test_wrong_powers(dtype):
    x = np.ones(3, dtype)
    with pytest.raises(ShapeError, match="power_backward: expected dy of shape"):
        kernels.power_backward(x[:1], x, 2)
    with pytest.raises(
        ArgumentError, match="power: exponent must be a number, got '2'"
    ):
        kernels.power(x, "2")


LARGE = (24, 30, 7, 64)


def views(dtype):
    """Return sources with targets of their shapes."""
    x = np.random.default_rng(0).standard_normal(LARGE).astype(dtype)
    x.flags.writeable = False
    room = np.full((30, 40, 9, 200), np.nan, dtype)
    return {
        "one run": (x, room[:24, :30, :7, :64].copy()),
        "joined": (x, room[:24, :30, :7, 64:128]),
        "padded": (x, room[3:27, 5:35, 1:8, :64].copy()),
        "rows of rows": (x[::2, :, ::-1], room[12:24, 5:35, 1:8, 99:163]),
        "transposed": (x.transpose(1, 0, 2, 3), room[:30, :24, 2:9, 1:65]),
        "no rows": (x[:, :, :0], room[:24, :30, :0, :64]),
        "columns": (x.reshape(-1, 64).T, np.full((64, x.size // 64), np.nan, dtype)),
        "small": (x[0, 0], room[0, 0, :7, :64]),
    }


@pytest.mark.parametrize("name", views(np.float32))
def test_copies(name, dtype, same_bits_for_threads):
    x, out = views(dtype)[name]
    whole = out if out.base is None else out.base
    expected = whole.copy()
    np.copyto(np.ndarray(out.shape, dtype, expected, start(out, whole), out.strides), x)

    def copied():
        whole[...] = np.nan
        assert kernels.copy(x, out) is out
        return whole.copy()

    np.testing.assert_array_equal(copied(), expected)  # nothing beside the view
    same_bits_for_threads(copied)


def start(view, whole):
    """Return how many bytes of the whole array lie before its view."""
    return view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]


def test_copies_of_long_runs_and_of_other_types(dtype):
    x = np.arange(100_003, dtype=dtype)
    np.testing.assert_array_equal(kernels.copy(x, np.full_like(x, np.nan)), x)
    y = kernels.copy(x.astype(np.int32), np.full_like(x, np.nan))
    np.testing.assert_array_equal(y, x)
    with pytest.raises(ValueError, match="read-only"):
        kernels.copy(x, np.broadcast_to(x[:1], x.shape))


def test_a_copy_within_one_array_and_of_objects():
    """What plain bytes would get wrong: memory read after it was written, counts."""
    x = np.arange(200_000, dtype=np.float32)
    kernels.copy(x[:-1], x[1:])
    assert x.tolist() == [0, *range(199_999)]
    thing = object()
    things, out = np.full(20_000, thing), np.full(20_000, None)
    before = sys.getrefcount(thing)
    kernels.copy(things, out)
    assert sys.getrefcount(thing) == before + 20_000
    with pytest.raises(DtypeError, match="copy: float32 does not go into out of int8"):
        kernels.copy(x, np.empty(x.shape, np.int8))
    with pytest.raises(DtypeError, match="copy: out must be a NumPy array, got list"):
        kernels.copy(x, x.tolist())
