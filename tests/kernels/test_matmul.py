"""matmul: compiled against the reference (S04)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference, shapes
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# Sizes straddle the rows and columns of every tile (4, 6, 8 rows; 4 to 32 columns).
SIZES = [
    (1, 1, 1),
    (1, 7, 3),
    (3, 1, 8),
    (5, 2, 17),
    (6, 9, 32),
    (7, 33, 33),
    (9, 64, 31),
    (25, 5, 64),
    (97, 130, 65),
    (200, 1100, 7),  # several blocks of the reduction, packed panels
    (5, 257, 3),  # the last block is lower than what a vector reads beyond
    (33, 1300, 20),  # several parts of a long reduction
    (290, 1000, 34),  # a transposed a is packed
    (30, 300, 256),  # rows of b a power of two apart
]


def operands(m, k, n, transpose_a, transpose_b, dtype, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    bias = rng.standard_normal(n).astype(dtype)
    for array in (a, b, bias):
        array.flags.writeable = False
    return a, b, bias


@pytest.mark.parametrize("transpose_b", [False, True], ids=["b", "bT"])
@pytest.mark.parametrize("transpose_a", [False, True], ids=["a", "aT"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_reference(
    size, transpose_a, transpose_b, isa, dtype, assert_close, same_bits_for_threads
):
    a, b, bias = operands(*size, transpose_a, transpose_b, dtype)
    options = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    for start in (None, bias):
        expected = reference.matmul(a, b, start, **options)
        assert_close(kernels.matmul(a, b, start, **options), expected, size[1])
    same_bits_for_threads(lambda: kernels.matmul(a, b, bias, **options))


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(*[st.integers(0, 140)] * 3),
    transpose_a=st.booleans(),
    transpose_b=st.booleans(),
    real=st.sampled_from(["float32", "float64"]),
)
def test_random_shapes(size, transpose_a, transpose_b, real):
    a, b, bias = operands(*size, transpose_a, transpose_b, real)
    options = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    y = kernels.matmul(a, b, bias, **options)
    tolerance = 50 * np.finfo(real).eps
    np.testing.assert_allclose(
        y, reference.matmul(a, b, bias, **options), rtol=tolerance, atol=20 * tolerance
    )


def test_stretches_of_b_are_added_up(isa):
    """b in float64 takes more than the memory of a stretch."""
    a, b, bias = operands(130, 2100, 300, False, False, np.float64)
    np.testing.assert_allclose(kernels.matmul(a, b, bias), a @ b + bias, atol=1e-11)


@pytest.mark.parametrize("size", [(13, 20, 37), (9, 700, 5)], ids=["one part", "parts"])
@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
def test_fused_activation_is_the_activation_of_the_product(kind, size, isa, dtype):
    a, b, bias = operands(*size, False, False, dtype)
    fused = kernels.matmul(a, b, bias, activation=kind)
    apart = kernels.activation_forward(kernels.matmul(a, b, bias), kind)
    assert fused.tobytes() == apart.tobytes()


def test_out_is_filled_and_returned(dtype, isa):
    a, b, bias = operands(9, 5, 33, False, False, dtype)
    out = np.full((9, 33), np.nan, dtype)
    assert kernels.matmul(a, b, bias, out=out) is out
    assert out.tobytes() == kernels.matmul(a, b, bias).tobytes()


def test_empty_reduction_gives_the_bias(dtype, isa):
    bias = np.arange(3, dtype=dtype)
    y = kernels.matmul(np.empty((2, 0), dtype), np.empty((0, 3), dtype), bias)
    np.testing.assert_array_equal(y, [bias, bias])


def test_views_give_the_result_of_their_copies(dtype):
    base = np.random.default_rng(0).standard_normal((40, 60)).astype(dtype)
    a, b = base[::2, 1:31:3], base.T[5:15, ::-2]
    y = kernels.matmul(a, b)
    assert y.tobytes() == kernels.matmul(a.copy(), b.copy()).tobytes()


def test_unaligned_and_byte_swapped_inputs_are_read_rightly():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    raw = np.zeros(a.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(np.float32).reshape(2, 3)
    unaligned[:] = a
    expected = a @ a.T
    y = kernels.matmul(unaligned, a, transpose_b=True)
    np.testing.assert_array_equal(y, expected)
    swapped = a.astype(a.dtype.newbyteorder())
    y = kernels.matmul(swapped, swapped, transpose_b=True)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    ("a", "b", "bias", "error", "words"),
    [
        ((2, 3), (4, 5), None, ShapeError, "3 columns.*4 rows"),
        ((2, 3, 4), (4, 5), None, ShapeError, "2 axes"),
        ((2, 3), (3, 5), (4,), ShapeError, r"bias of shape \(5,\)"),
    ],
)
def test_wrong_shapes(a, b, bias, error, words):
    bias = None if bias is None else np.zeros(bias)
    with pytest.raises(error, match=words):
        kernels.matmul(np.zeros(a), np.zeros(b), bias)


def test_wrong_types_and_names():
    a, b = np.zeros((2, 3)), np.zeros((3, 4))
    with pytest.raises(DtypeError, match=r"matmul: b is float32 but .* float64"):
        kernels.matmul(a, b.astype(np.float32))
    with pytest.raises(DtypeError, match="int64"):
        kernels.matmul(a.astype(np.int64), b)
    with pytest.raises(ArgumentError, match="did you mean 'relu'"):
        kernels.matmul(a, b, activation="rellu")
    with pytest.raises(ShapeError, match="out"):
        kernels.matmul(a, b, out=np.zeros((2, 3)))
    with pytest.raises(DtypeError, match="out"):
        kernels.matmul(a, b, out=np.zeros((4, 2)).T)
    square = np.zeros((3, 3))
    with pytest.raises(ArgumentError, match="share memory"):
        kernels.matmul(square, square, out=square)


# Stacks


@cache  # the same for each instruction set
def stacks(size, stack, dtype):
    """Return (operands, what is transposed, the product) of each form and kind."""
    rng = np.random.default_rng(0)
    m, k, n = size
    products = []
    for form in range(4):
        transposed = {"transpose_a": form % 2 == 1, "transpose_b": form > 1}
        one = rng.standard_normal((m, k) if form % 2 == 0 else (k, m)).astype(dtype)
        other = rng.standard_normal((k, n) if form < 2 else (n, k)).astype(dtype)
        a, b = (np.stack([x * (1 + i) for i in range(stack)]) for x in (one, other))
        for operands in ((a, b), (one, b), (a, other)):
            product = reference.stacked_matmul(*operands, **transposed)
            products.append((operands, transposed, product.astype(dtype)))
    return products


@pytest.mark.parametrize("stack", [1, 3, 8, 41])
@pytest.mark.parametrize("size", SIZES[:9], ids=str)
def test_stacks_equal_the_reference(
    size, stack, isa, dtype, assert_close, same_bits_for_threads
):
    """On their own threads, or shared out to them."""
    m, k, n = size
    for operands, transposed, expected in stacks(size, stack, dtype):
        y = kernels.stacked_matmul(*operands, **transposed)
        assert y.shape == (stack, m, n)
        assert_close(y, expected, k)
        same_bits_for_threads(
            lambda o=operands, t=transposed: kernels.stacked_matmul(*o, **t)
        )


def test_a_product_of_a_stack_has_the_bits_of_one_alone(isa, dtype):
    a = np.random.default_rng(0).standard_normal((9, 33, 700)).astype(dtype)
    b = np.random.default_rng(1).standard_normal((9, 700, 20)).astype(dtype)
    y = kernels.stacked_matmul(a, b)
    np.testing.assert_array_equal(y[4], kernels.matmul(a[4], b[4]))


@pytest.mark.parametrize(
    ("a", "b"), [((0, 2, 3), (0, 3, 4)), ((2, 0, 3), (2, 3, 4)), ((2, 4, 0), (2, 0, 3))]
)
def test_empty_stacks(a, b):
    y = kernels.stacked_matmul(np.ones(a), np.ones(b))
    np.testing.assert_array_equal(y, np.ones(a) @ np.ones(b))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((2, 3), (3, 4), "one of them without s"),
        ((2, 2, 3), (3, 3, 4), "one of them without s"),
        ((2, 2, 2, 3), (2, 2, 3, 4), "one of them without s"),
        ((2, 2, 3), (2, 4, 4), "has 3 columns"),
        ((2, 2, 3), (3,), "with 2 axes"),
    ],
)
def test_stacks_that_do_not_fit(a, b, message):
    for backend in (kernels, reference):
        with pytest.raises(ShapeError, match=message):
            backend.stacked_matmul(np.ones(a), np.ones(b))
