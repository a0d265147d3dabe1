"""Kernels are as exact as docs/accuracy.md says, and differentiated functions likewise.

The numbers of the functions are positive, so that sums grow and nothing cancels: each
addition of a long chain then rounds at the size of the whole sum. Numbers that differ
round up and down at random; equal ones, as in the background of a picture, may all
round the same way. Their bounds are relative to the largest element of a result. One
rounding of float32 is 6e-8.
"""

from __future__ import annotations

import platform

import numpy as np
import pytest

from bench import accuracy
from bench.accuracy import BLOCKS, DTYPES, NUMPY
from bench.exactness import CASES, SHORT, Make, normal_tail
from fastdl import functional as F
from fastdl import reference
from fastdl.autograd import Tensor

try:
    from fastdl.kernels.engine import runtime
except ImportError:
    ISAS, ISA = [], []
else:
    ISAS, ISA = runtime.available_isas(), [runtime.get_isa()]

PUBLISHED = accuracy.read()
X86 = ("generic", "avx2", "avx512")
REAL_TYPES = [
    "float32",
    pytest.param(
        "float64",
        marks=pytest.mark.skipif(
            np.finfo(np.longdouble).nmant < 63,
            reason="no type is longer than float64 here",
        ),
    ),
]


# Kernels -----------------------------------------------------------------------------


def published(dtype, name, computer):
    """Return the figure of the page; of another machine's vectors, the row's largest.

    NumPy's own depends on its linear algebra and on the processor.
    """
    if computer == NUMPY:
        return 2 * PUBLISHED[dtype, name, NUMPY]
    if platform.machine().lower() in ("x86_64", "amd64"):
        return PUBLISHED[dtype, name, computer]
    return max(PUBLISHED[dtype, name, isa] for isa in X86)


def test_every_kernel_has_its_figures():
    assert sorted({name.partition(" ")[0] for name in CASES}) == reference.__all__
    rows = {(dtype, name) for dtype in DTYPES for name in CASES}
    wanted = {(*row, isa) for row in rows for isa in X86}
    wanted |= {(*row, NUMPY) for row in rows if row[0] == "float32"}
    assert set(PUBLISHED) == wanted


@pytest.mark.parametrize("dtype", REAL_TYPES)
@pytest.mark.parametrize("name", CASES)
def test_no_error_is_larger_than_published(name, dtype):
    """With one instruction set, on small arrays."""
    computers = [*ISA, *([NUMPY] if dtype == "float32" else [])]
    if not computers:
        pytest.skip("the compiled kernels are not built")
    found = accuracy.measure(name, dtype, SHORT, computers)
    for computer, error in found.items():
        assert error <= published(dtype, name, computer), computer


@pytest.mark.soak
@pytest.mark.skipif(not ISAS, reason="the compiled kernels are not built")
@pytest.mark.parametrize("dtype", REAL_TYPES)
@pytest.mark.parametrize("name", CASES)
def test_errors_are_as_published(name, dtype):
    """No figure is exceeded, or more than twice what is found."""
    for isa, error in accuracy.worst(name, dtype, ISAS).items():
        figure = published(dtype, name, isa)
        assert error <= figure, isa
        if platform.machine() == "x86_64":
            assert figure == 0.5 >= error > 0 or figure <= 2 * error, isa


def test_a_figure_holds_and_is_honest():
    for error in (1e-3, 0.3, 0.5, 0.51, 1, 4.6, 99, 123_456):
        figure = accuracy.published(error)
        assert error <= figure
        assert figure == 0.5 or figure <= 1.6 * error
    assert accuracy.published(0) == 0


def test_blocks_reach_from_one_sixteenth_to_128():
    for block, limit in ((BLOCKS[0], 1 / 16), (BLOCKS[-1], 96)):
        x = Make(block, "float32", SHORT).sweep()
        assert (len(x), x[0], x[-(2**22)]) == (2**23, limit, -limit)
    assert x[2**22 - 1] == np.nextafter(np.float32(128), np.float32(0))


def test_errors_are_counted_in_units_in_the_last_place():
    one = np.array([1.0, -3.0, 0.0])
    units = [accuracy.unit(one, "float32")]
    assert units[0].tolist() == [2**-23, 2**-22, 2**-149]
    off = np.float32(one + np.array([2**-22, 2**-22, 0]))
    assert accuracy.error((off,), (one,), units) == 2
    with pytest.raises(AssertionError, match="shapes"):
        accuracy.error((off[:2],), (one,), units)
    assert accuracy.error((off * np.float32(np.nan),), (one,), units) == np.inf


def test_the_normal_distribution_is_exact():
    """Values of Abramowitz and Stegun (1964), tables 26.1 and 26.2."""
    x = np.array([0, 0.5, 1, 2, 2.5, 3, 5], np.longdouble)
    tail = [0.5, 0.308537538725987, 0.158655253931457, 0.022750131948179]
    tail += [0.006209665325776, 1.349898031630e-3, 2.866515719e-7]
    np.testing.assert_allclose(normal_tail(x), tail, rtol=1e-9)
    assert np.abs(np.diff(normal_tail(np.array([2.5 - 1e-15, 2.5])))) < 1e-15


# Functions ---------------------------------------------------------------------------

ROWS = 1_000_000  # of a batch
SIDE = 1024  # of a picture


def differentiated(function):
    """Return a call that gives the result of a function of tensors, and gradients."""

    def call(f, a, *shapes):
        tensors = [Tensor(a(*shape), requires_grad=True) for shape in shapes]
        y = f(*tensors)
        y.backward(a(*y.shape))
        return (y.data, *(tensor.grad for tensor in tensors))

    return lambda *shapes: lambda a: call(function, a, *shapes)


def squared(y):
    """Return y * y, whose gradient is not orthogonal to y as a random one would be."""
    return y * y


# The same of what is differentiated: a tuple of bounds, a call.
FUNCTIONS = {
    "sum of rows": ((1e-6, 1e-6), differentiated(lambda x: F.sum(x, 0))((ROWS, 2))),
    "mean of rows": ((1e-6, 1e-6), differentiated(lambda x: F.mean(x, 0))((ROWS, 2))),
    "mean of a picture": (
        (1e-6, 1e-6),
        differentiated(lambda x: F.mean(x, (1, 2)))((1, SIDE, SIDE, 2)),
    ),
    "mean of columns": (
        (1e-6, 1e-6),
        differentiated(lambda x: F.mean(F.transpose(x), 1))((ROWS, 2)),
    ),
    "mean of all": ((1e-6, 1e-6), differentiated(F.mean)((ROWS, 2))),
    "a bias": ((2e-6, 4e-5), differentiated(lambda x, b: x + b)((ROWS, 2), (2,))),
    "a column": ((2e-6, 2e-6), differentiated(lambda x, b: x * b)((2, ROWS), (2, 1))),
    "a row": ((2e-6, 2e-6), differentiated(lambda x, b: x * b)((ROWS, 3), (1, 3))),
    "a number": ((2e-6, 2e-6), differentiated(lambda x, b: x * b)((ROWS, 2), ())),
    "linear": ((2e-6, 4e-5), differentiated(F.linear)((ROWS, 2), (2, 3), (3,))),
    "l1_penalty": (
        (1e-6, 1e-6),
        differentiated(lambda w: F.l1_penalty([w], 0.1))((ROWS,)),
    ),
    "l2_penalty": (
        (1e-6, 1e-6),
        differentiated(lambda w: F.l2_penalty([w], 0.1))((ROWS,)),
    ),
    "mse_loss": (
        (1e-6, 1e-6),
        differentiated(lambda x: F.mse_loss(x, np.zeros(x.shape)))((ROWS, 2)),
    ),
    "layer_norm": (
        (1e-5, None),
        differentiated(lambda *a: squared(F.layer_norm(a[0], (8,), *a[1:])))(
            (200_000, 8), (8,), (8,)
        ),
    ),
    "group_norm": (
        (1e-5, None),
        differentiated(lambda *a: squared(F.group_norm(a[0], 3, *a[1:])))(
            (1, 512, 512, 6), (6,), (6,)
        ),
    ),
}


def arrays_of(dtype, equal):
    """Return the function that makes the same arrays for each type."""
    rng = np.random.default_rng(0)

    def make(*shape):
        values = np.full(shape, 0.1) if equal else rng.uniform(1, 2, shape)
        return values.astype(np.float32).astype(dtype)

    return make


def error(call, exact, equal):
    """Return the largest error of `call` in float32, relative to `exact` in float64."""
    wanted, given = (
        exact(arrays_of(np.float64, equal)),
        call(arrays_of(np.float32, equal)),
    )
    if not isinstance(wanted, tuple):
        wanted, given = (wanted,), (given,)
    worst = 0.0
    for w, g in zip(wanted, given, strict=True):
        assert (g.dtype, w.dtype, g.shape) == (np.float32, np.float64, w.shape)
        worst = max(worst, np.abs(g - w).max() / np.abs(w).max())
    return worst


@pytest.mark.parametrize("equal", [False, True], ids=["different", "equal"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_keep_their_digits(name, equal):
    bounds, call = FUNCTIONS[name]
    if bounds[equal] is not None:
        assert error(call, call, equal) <= bounds[equal]
