"""affine_warp: compiled against the reference (S22)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.shapes import FILLS

# n, h, w, c: widths and channels around the vectors of every instruction set
SHAPES = {
    "one pixel": (2, 1, 1, 1),
    "one row": (2, 1, 9, 2),
    "one column": (2, 9, 1, 2),
    "grey": (3, 28, 28, 1),
    "colour": (3, 32, 32, 3),
    "odd": (2, 7, 33, 5),
    "as wide as vectors": (2, 5, 16, 16),
    "just wider": (2, 5, 17, 17),
    "many channels": (1, 4, 5, 67),
    "several tasks": (4, 50, 40, 3),
    "empty batch": (0, 4, 4, 3),
}


def problem(shape, dtype, seed=0, spread=0.4):
    """Return read-only x, matrix and displacement."""
    n, h, w, _ = shape
    rng = np.random.default_rng(seed)
    matrix = np.array([[1, 0, 0], [0, 1, 0]]) + spread * rng.standard_normal((n, 2, 3))
    matrix[:, :, 2] *= 10
    arrays = rng.random(shape), matrix, 3 * rng.standard_normal((n, 2, h, w))
    arrays = [array.astype(dtype) for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def tolerance(shape, dtype):
    """The slope of a picture is at most 1; a place is as exact as its numbers."""
    return 64 * np.finfo(dtype).eps * (max(shape[1:3]) + 10)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equals_reference(shape, fill, isa, dtype, same_bits_for_threads):
    x, matrix, displacement = problem(shape, dtype)
    for bend in (None, displacement):
        actual = kernels.affine_warp(x, matrix, bend, fill=fill)
        expected = reference.affine_warp(x, matrix, bend, fill=fill)
        assert actual.dtype == dtype
        assert actual.flags.c_contiguous
        np.testing.assert_allclose(
            actual, expected, rtol=0, atol=tolerance(shape, dtype)
        )
    same_bits_for_threads(
        lambda: kernels.affine_warp(x, matrix, displacement, fill=fill)
    )


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(*(st.integers(low, 40) for low in (0, 1, 1, 1))),
    spread=st.sampled_from([0.0, 0.1, 1.0]),
    fill=st.sampled_from(FILLS),
    real=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 100),
)
def test_random_shapes(shape, spread, fill, real, seed):
    shape = (min(shape[0], 3), *shape[1:])
    x, matrix, displacement = problem(shape, real, seed, spread)
    actual = kernels.affine_warp(x, matrix, displacement, fill=fill)
    expected = reference.affine_warp(x, matrix, displacement, fill=fill)
    atol = tolerance(shape, real) * (1 + 10 * spread)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_identity_flips_and_whole_shifts_are_exact(shape, fill, isa, dtype):
    n, h, w, _ = shape
    x, _, _ = problem(shape, dtype)
    cases = {
        "identity": ([[1, 0, 0], [0, 1, 0]], x),
        "left and right": ([[1, 0, 0], [0, -1, w - 1]], x[:, :, ::-1]),
        "top and bottom": ([[-1, 0, h - 1], [0, 1, 0]], x[:, ::-1]),
    }
    if h > 2 and w > 3:
        padded = np.pad(x, ((0, 0), (2, 2), (3, 3), (0, 0)), fill)
        cases["shift"] = [[1, 0, -2], [0, 1, 3]], padded[:, :h, 6 : 6 + w]
    for name, (matrix, expected) in cases.items():
        matrices = np.tile(np.array(matrix, dtype), (n, 1, 1))
        y = kernels.affine_warp(x, matrices, fill=fill)
        np.testing.assert_array_equal(y, expected, err_msg=name)


@pytest.mark.parametrize("fill", FILLS)
def test_nothing_is_read_beyond_the_end(fill, isa, dtype):
    """NaN around the arrays in memory must not reach the result."""

    def surrounded(array):
        memory = np.full(array.size + 128, np.nan, array.dtype)
        inner = memory[64:-64].reshape(array.shape)
        inner[:] = array
        return inner

    for case in ("one pixel", "odd", "grey", "just wider"):
        arrays = problem(SHAPES[case], dtype)
        expected = kernels.affine_warp(*arrays, fill=fill)
        actual = kernels.affine_warp(*map(surrounded, arrays), fill=fill)
        assert np.isfinite(actual).all()
        assert actual.tobytes() == expected.tobytes()


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_places_far_away_are_safe(value, fill, isa, dtype):
    """Whatever a matrix says, no other memory is read: the pixels are 0 to 1."""
    x, matrix, _ = problem((2, 9, 8, 3), dtype)
    for place in np.ndindex(2, 3):
        matrix = matrix.copy()
        matrix[(0, *place)] = value
        with np.errstate(invalid="ignore"):
            expected = reference.affine_warp(x, matrix, fill=fill)
        y = kernels.affine_warp(x, matrix, fill=fill)
        for result in (y, expected):
            assert result.min() >= 0
            assert result.max() <= 1.001


def test_views_give_the_result_of_their_copies(dtype):
    x, matrix, displacement = problem((4, 6, 7, 3), dtype)
    x = x.transpose(0, 2, 1, 3)[::2]
    displacement = displacement.transpose(0, 1, 3, 2)[::2]
    views = kernels.affine_warp(x, matrix[::2], displacement)
    copies = kernels.affine_warp(x.copy(), matrix[::2].copy(), displacement.copy())
    assert views.tobytes() == copies.tobytes()


def test_wrong_arguments():
    x, matrix, displacement = problem((2, 5, 6, 3), np.float32)
    with pytest.raises(ShapeError, match=r"affine_warp: expected x of shape \(n, h"):
        kernels.affine_warp(x[0], matrix)
    with pytest.raises(ShapeError, match="matrix of shape"):
        kernels.affine_warp(x, matrix[:1])
    with pytest.raises(ShapeError, match="displacement of shape"):
        kernels.affine_warp(x, matrix, displacement[:, :1])
    with pytest.raises(DtypeError, match="matrix is float64 but x is float32"):
        kernels.affine_warp(x, matrix.astype(np.float64))
    with pytest.raises(DtypeError, match="x is uint8"):
        kernels.affine_warp(x.astype(np.uint8), matrix)
    with pytest.raises(ArgumentError, match="unknown fill 'mirror'"):
        kernels.affine_warp(x, matrix, fill="mirror")
