"""Arrays of more than 2^31 elements: their ends, and around the powers of two.

The arrays are mostly one page of zeros, mapped again and again; random numbers lie only
where a count of 31 or 32 bits, of elements or of bytes, would go wrong. There the
results are compared with those of the same kernel on a part of the array. A result that
a kernel allocates is real memory, 8.6 GB or more, so these tests are long forms.
"""

from __future__ import annotations

import ctypes
import inspect
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from fastdl import kernels, reference
from fastdl.errors import ArgumentError
from tests.kernels.test_random_calls import each_algorithm

pytestmark = pytest.mark.soak

MEMINFO = Path("/proc/meminfo")
FLOAT = np.dtype(np.float32)
CHUNK = 2**21  # bytes that are mapped at a time
BOUNDARIES = [2**29, 2**30, 2**31]  # elements: 2^31 and 2^32 bytes, 2^31 elements
ROWS, WIDTH = 2**15 + 40, 2**16  # of a table


@pytest.fixture(autouse=True)
def memory_given_back():
    yield
    kernels.empty_cache()


def needs(gigabytes):
    """Skip the test where the machine has not that much memory to give."""
    if not MEMINFO.exists():
        pytest.skip("only Linux tells its memory")
    lines = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) / 2**20
    if free < gigabytes + 1:
        pytest.skip(f"needs {gigabytes} GiB of memory, has {free:.1f}")


def places(shape):
    """Return the leading indices whose rows lie at the boundaries and at the ends.

    Each is a range of 16 rows or more, from a multiple of 4 on.
    """
    row = int(np.prod(shape[1:]))
    starts = {0, (shape[0] - 16) // 4 * 4}
    for boundary in BOUNDARIES:
        if 16 * row < boundary < (shape[0] - 32) * row:
            starts.add((boundary // row - 8) // 4 * 4)
    ranges = [slice(start, start + 16) for start in sorted(starts)]
    return [*ranges[:-1], slice(ranges[-1].start, shape[0])]


class Mapped:
    """Memory of zeros in which only some chunks are of their own."""

    def __init__(self, size, own):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3]
        libc.mmap.argtypes += [ctypes.c_int64]
        size = -(-size // CHUNK) * CHUNK
        self._file = os.memfd_create("zeros")
        os.truncate(self._file, CHUNK * (1 + len(own)))
        whole = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | 0x4000)  # NORESERVE
        self.memory = np.frombuffer(whole, np.uint8)
        of = {chunk: 1 + place for place, chunk in enumerate(sorted(own))}
        rights = mmap.PROT_READ | mmap.PROT_WRITE
        for chunk in range(size // CHUNK):
            address = self.memory.ctypes.data + chunk * CHUNK
            given = libc.mmap(
                address, CHUNK, rights, mmap.MAP_SHARED | 0x10,  # FIXED
                self._file, of.get(chunk, 0) * CHUNK,
            )  # fmt: skip
            if given != address:
                raise OSError(ctypes.get_errno(), "mmap")
        os.close(self._file)


def sparse(*shape):
    """Return zeros with random numbers in [0, 1) in the rows of `places`."""
    rng = np.random.default_rng(sum(shape))
    row = int(np.prod(shape[1:])) * FLOAT.itemsize
    own = set()
    for rows in places(shape):
        own |= {*range(rows.start * row // CHUNK, -(-rows.stop * row // CHUNK))}
    mapped = Mapped(shape[0] * row, own)
    array = mapped.memory[: shape[0] * row].view(FLOAT).reshape(shape)
    for rows in places(shape):
        array[rows] = rng.random(array[rows].shape, FLOAT)
    return array


def part(array, rows):
    """Return what belongs to some rows of the table; all of what has not as many."""
    if isinstance(array, np.ndarray) and array.ndim:
        for numerator, denominator in ((1, 1), (1, 2), (2, 1)):
            if array.shape[0] * denominator == ROWS * numerator:
                start, stop = rows.start * numerator, rows.stop * numerator
                return array[start // denominator : stop // denominator]
    return array


def results_of(function, *arguments):
    results = function(*arguments)
    return results if isinstance(results, tuple) else (results,)


def image(x):
    return x.reshape(1, len(x), -1, 8)


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-4)


# Rows, and sums over rows -------------------------------------------------------------

SLOPES = np.linspace(0.5, 2, WIDTH, dtype=FLOAT)
FACTORS = np.random.default_rng(0).random((WIDTH, 3), FLOAT)
LABELS = np.arange(ROWS) % 7
ONE = np.ones((ROWS, 1), FLOAT)
THREE = np.random.default_rng(1).random((ROWS, 3), FLOAT)
MATRICES = np.tile(np.array([[1, 0, 0.5], [0, 1, -2]], FLOAT), (ROWS, 1, 1))


def max_pool2d_backward(x):
    y, argmax = kernels.max_pool2d_forward(image(x), 2)
    return kernels.max_pool2d_backward(y, argmax, image(x).shape, 2)[0]


def global_avg_pool2d_backward(x):
    dx = kernels.global_avg_pool2d_backward(SLOPES[None, :8], image(x).shape)[0]
    dx *= len(x)  # else it would depend on how many rows there are
    return dx


def scale_backward(x, z):
    dx, dscale = kernels.scale_backward(z[None], x[None], SLOPES[None, None])
    return dx[0], dscale


def softmax_cross_entropy_backward(x, labels, ones):
    return kernels.softmax_cross_entropy_backward(x, labels, ones[:, 0])


# Each is called with tables, and with parts of them. Of a result with as many rows, or
# twice or half as many, the rows are compared; any other is a sum over all rows.
CASES = {
    "activation_backward": lambda x, z: kernels.activation_backward(z, x, None, "silu"),
    "activation_forward": lambda x: kernels.activation_forward(x, "silu"),
    "adaptive_avg_pool2d_backward": lambda half: (
        kernels.adaptive_avg_pool2d_backward(
            image(half), (1, 2 * len(half), WIDTH // 8, 8), (len(half), WIDTH // 16)
        )[0]
        if half.shape[1] == WIDTH // 2
        else None
    ),
    "adaptive_avg_pool2d_forward": lambda x: kernels.adaptive_avg_pool2d_forward(
        image(x), (len(x) // 2, WIDTH // 16)
    )[0],
    "add": lambda x, z: kernels.add(x, z),
    "affine_warp": lambda x, matrices: kernels.affine_warp(
        x.reshape(-1, 64, 64, 16), matrices
    ),
    "avg_pool2d_backward": lambda half: kernels.avg_pool2d_backward(
        image(half), (1, 2 * len(half), WIDTH // 8, 8), 2
    )[0],
    "avg_pool2d_forward": lambda x: kernels.avg_pool2d_forward(image(x), 2)[0],
    "batchnorm_inference": lambda x: kernels.batchnorm_inference(
        x, SLOPES, SLOPES, SLOPES, SLOPES
    ),
    "gather": lambda labels: kernels.gather(SEVEN, labels),
    "gather_backward": lambda x, labels: kernels.gather_backward(x, labels, 7),
    "global_avg_pool2d_backward": global_avg_pool2d_backward,
    "global_avg_pool2d_forward": lambda x: (
        kernels.global_avg_pool2d_forward(image(x)) * len(x)
    ),
    "l1_penalty_backward": lambda x: kernels.l1_penalty_backward(1.0, x, 0.1),
    "l1_penalty_forward": lambda x: kernels.l1_penalty_forward(x, 0.1),
    "l2_penalty_backward": lambda x: kernels.l2_penalty_backward(1.0, x, 0.1),
    "l2_penalty_forward": lambda x: kernels.l2_penalty_forward(x, 0.1),
    "layernorm_backward": lambda x, z, ones: kernels.layernorm_backward(
        z, x, SLOPES, ones, ones
    ),
    "layernorm_forward": lambda x: kernels.layernorm_forward(x, SLOPES, SLOPES),
    "log_softmax_forward": lambda x: kernels.log_softmax_forward(x),
    "matmul": lambda x: kernels.matmul(x, FACTORS),
    "matmul b": lambda three, x: kernels.matmul(three, x, transpose_a=True),
    "matmul y": lambda three: kernels.matmul(three, FACTORS, transpose_b=True),
    "max_pool2d_backward": max_pool2d_backward,
    "max_pool2d_forward": lambda x: tuple(
        result[0] for result in kernels.max_pool2d_forward(image(x), 2)
    ),
    "power": lambda x: kernels.power(x, 2.0),
    "power_backward": lambda x, z: kernels.power_backward(z, x, 3.0),
    "prelu_backward": lambda x, z: kernels.prelu_backward(z, x, SLOPES),
    "prelu_forward": lambda x: kernels.prelu_forward(x, SLOPES),
    "scale_backward": scale_backward,
    "scale_forward": lambda x: kernels.scale_forward(x[None], SLOPES[None, None])[0],
    "sigmoid_cross_entropy_backward": lambda x, z: (
        kernels.sigmoid_cross_entropy_backward(x, z, x)
    ),
    "sigmoid_cross_entropy_forward": lambda x, z: kernels.sigmoid_cross_entropy_forward(
        x, z
    ),
    "softmax_cross_entropy_backward": softmax_cross_entropy_backward,
    "softmax_cross_entropy_forward": lambda x, labels: (
        kernels.softmax_cross_entropy_forward(x, labels)
    ),
    "softmax_forward": lambda x: kernels.softmax_forward(x),
    "stacked_matmul": lambda x: kernels.stacked_matmul(
        x.reshape(-1, 4, WIDTH), FACTORS
    ).reshape(-1, 3),
    "upsample_backward": lambda x: kernels.upsample_backward(
        image(x), (1, len(x) // 2, WIDTH // 16, 8), scale_factor=2
    )[0],
    "upsample_forward": lambda half: kernels.upsample_forward(
        image(half), scale_factor=2
    )[0],
}
SEVEN = np.random.default_rng(2).random((7, WIDTH), FLOAT)
ARGUMENTS = {
    **{name: lambda: sparse(ROWS, WIDTH) for name in "xz"},
    "half": lambda: sparse(ROWS // 2, WIDTH // 2),
    **{"labels": lambda: LABELS, "ones": lambda: ONE, "three": lambda: THREE},
    "matrices": lambda: MATRICES,
}


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_of_a_part(name):
    needs(10)
    function = CASES[name]
    arguments = [ARGUMENTS[key]() for key in inspect.signature(function).parameters]
    parts = [
        results_of(function, *(np.array(part(a, rows)) for a in arguments))
        for rows in places((ROWS, WIDTH))
    ]
    for place, result in enumerate(results_of(function, *arguments)):
        wanted = [results[place] for results in parts]
        if part(result, slice(0, 4)) is result:
            close(result, sum(each.astype(np.float64) for each in wanted))
        else:
            for rows, each in zip(places((ROWS, WIDTH)), wanted, strict=True):
                close(part(result, rows), each)


# Others ------------------------------------------------------------------------------


def test_dropout_counts_on():
    needs(10)
    x, options = sparse(ROWS, WIDTH), {"seed": 3, "offset": 5}
    for name in ("dropout_forward", "dropout_backward"):
        function = getattr(kernels, name)
        y = function(x, 0.7, **options)
        for rows in places(x.shape):
            offset = options["offset"] + rows.start * WIDTH
            wanted = function(x[rows], 0.7, seed=3, offset=offset)
            np.testing.assert_array_equal(y[rows], wanted)
        del y


def test_batchnorm_sums_all():
    needs(10)
    x, ones = sparse(ROWS, WIDTH), np.ones(WIDTH, FLOAT)
    y, mean, rstd = kernels.batchnorm_forward(x, SLOPES, SLOPES)
    seen = np.concatenate([x[rows] for rows in places(x.shape)]).astype(np.float64)
    close(mean, seen.sum(0) / ROWS)
    var = (seen**2).sum(0) / ROWS - (seen.sum(0) / ROWS) ** 2
    close(rstd, 1 / np.sqrt(var + 1e-5))
    for rows in places(x.shape):
        close(y[rows], (x[rows] - mean) * rstd * SLOPES + SLOPES)
    del y
    dy, mean = sparse(ROWS, WIDTH), 0 * ones
    dx, dgamma, dbeta = kernels.batchnorm_backward(dy, x, SLOPES, mean, ones)
    parts = [
        (dy[rows].astype(float), x[rows].astype(float)) for rows in places(x.shape)
    ]
    close(dgamma, sum((a * b).sum(0) for a, b in parts))
    close(dbeta, sum(a.sum(0) for a, _ in parts))
    for rows in places(x.shape):
        wanted = dy[rows] - dbeta / ROWS - x[rows] * dgamma / ROWS
        close(dx[rows], SLOPES * wanted)


def test_rows_of_a_large_array_are_taken_and_given_back():
    needs(10)
    x = sparse(ROWS, WIDTH)
    indices = np.concatenate([np.r_[rows] for rows in places(x.shape)])[::-1]
    taken = kernels.gather(x, indices)
    np.testing.assert_array_equal(taken, x[indices])
    dx = kernels.gather_backward(taken, indices, ROWS)
    for rows in places(x.shape):
        np.testing.assert_array_equal(dx[rows], x[rows])


def test_a_copy_is_whole():
    x, out = sparse(ROWS, WIDTH), sparse(ROWS, WIDTH)
    for rows in places(x.shape):
        out[rows] = 0
    kernels.copy(x, out)
    for rows in places(x.shape):
        np.testing.assert_array_equal(out[rows], x[rows])


STEPS = {
    "sgd_step": ({"momentum": 0.9}, 1),
    "rmsprop_step": ({}, 1),
    "adagrad_step": ({}, 1),
    "adam_step": ({"step": 3}, 2),
}


@pytest.mark.parametrize("name", STEPS)
def test_every_parameter_has_its_step(name):
    """In place, where all that is zero stays zero."""
    options, states = STEPS[name]
    function = getattr(kernels, name)
    arrays = [sparse(ROWS, WIDTH) for _ in range(2 + states)]
    before = [
        [array[rows].copy() for array in arrays] for rows in places(arrays[0].shape)
    ]
    function(*arrays, lr=0.1, **options)
    for rows, parts in zip(places(arrays[0].shape), before, strict=True):
        function(*parts, lr=0.1, **options)
        for array, wanted in zip(arrays, parts, strict=True):
            np.testing.assert_array_equal(array[rows], wanted)


def test_every_row_counts_for_a_norm():
    weight = sparse(ROWS, WIDTH)
    before = [weight[rows].copy() for rows in places(weight.shape)]
    norms = np.sqrt(sum((each.astype(np.float64) ** 2).sum(0) for each in before))
    kernels.max_norm_step(weight, limit=1.0)
    for rows, each in zip(places(weight.shape), before, strict=True):
        close(weight[rows], each / norms)


# Convolutions ------------------------------------------------------------------------

CONVOLUTIONS = {  # channels of x, groups, channels of y, stride
    "wide x": (8, 1, 4, 1),
    "wide y": (4, 1, 8, 1),
    "depthwise": (8, 8, 8, 1),
    "strided": (8, 1, 16, 2),
}


@pytest.fixture(params=CONVOLUTIONS)
def convolution(request):
    """Return x, the weights, dy, and the options, for windows of 3 x 3."""
    c, groups, oc, stride = CONVOLUTIONS[request.param]
    h, w = ROWS, WIDTH // 8
    oh, ow = (h - 3) // stride + 1, (w - 3) // stride + 1
    weight = np.random.default_rng(0).random((3, 3, c // groups, oc), FLOAT)
    options = {"stride": stride, "groups": groups}
    return sparse(h, w, c), weight, sparse(oh, ow, oc), options


def each_that_fits(use_row, compute):
    """Yield what each algorithm that fits computes; the caller deletes it."""
    found = 0
    for _ in each_algorithm(use_row):
        try:
            result = compute()
        except ArgumentError as error:
            if "does not fit" not in str(error):
                raise
            continue
        found += 1
        yield result
        del result
        kernels.empty_cache()
    assert found > 1


def test_large_results_of_convolutions(convolution, use_row):
    needs(10)
    x, weight, _, options = convolution
    stride = options["stride"]

    def forward(x):
        return kernels.conv2d_forward(x[None], weight, **options)[0]

    wanted = [forward(x[rows]) for rows in places(x.shape)]
    for y in each_that_fits(use_row, lambda: forward(x)):
        for rows, each in zip(places(x.shape), wanted, strict=True):
            start = rows.start // stride
            close(y[start : start + len(each)], each)
        del y  # before the next one is computed


def test_large_input_gradients_of_convolutions(convolution, use_row):
    needs(10)
    x, weight, dy, options = convolution
    stride = options["stride"]

    def backward(dy, h):
        shape = (1, h, *x.shape[1:])
        return kernels.conv2d_backward_input(dy[None], weight, shape, **options)[0]

    wanted = [backward(dy[rows], 15 * stride + 3) for rows in places(dy.shape)[:-1]]
    for dx in each_that_fits(use_row, lambda: backward(dy, len(x))):
        for rows, each in zip(places(dy.shape)[:-1], wanted, strict=True):
            first = rows.start * stride
            close(dx[first + 2 : first + 15 * stride], each[2 : 15 * stride])
        del dx  # before the next one is computed


def test_large_operands_of_weight_gradients(convolution, use_row):
    x, _, dy, options = convolution
    stride = options["stride"]

    def backward(dy, x):
        return kernels.conv2d_backward_weight(dy[None], x[None], 3, **options)[0]

    wanted = 0
    for rows in places(dy.shape):
        first = rows.start * stride
        end = (rows.stop - 1) * stride + 3
        wanted = wanted + backward(dy[rows], x[first:end]).astype(np.float64)
    for dweight in each_that_fits(use_row, lambda: backward(dy, x)):
        np.testing.assert_allclose(dweight, wanted, rtol=1e-3)


def test_no_kernel_is_left_out():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in reference.__all__ if name not in source] == []
