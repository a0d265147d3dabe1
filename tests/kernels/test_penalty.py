"""Penalties and the limit of norms: compiled against the reference (S19, S20)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError

SHAPES = [
    (),
    (0,),
    (1,),
    (3, 5),
    (17,),
    (33,),
    (4, 4, 4),
    (4_096,),
    (4_097,),
    (20_001,),
]
MATRICES = [(1,), (0, 3), (3, 0), (5, 1), (3, 5), (1, 33), (2, 3, 3, 17), (4_097, 3)]
MATRICES += [(20_001, 2), (7, 5_000), (300, 4_099)]
NAMES = ["l1_penalty", "l2_penalty"]


def weights(shape, dtype, seed=0):
    w = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    w = np.array(w)
    w.flags.writeable = False
    return w


@pytest.mark.parametrize("name", NAMES)
def test_forward_equals_reference(name, isa, dtype, assert_close):
    """Of l1_penalty_forward and l2_penalty_forward."""
    function = f"{name}_forward"
    for shape in SHAPES:
        w = weights(shape, dtype)
        expected = getattr(reference, function)(w, 0.3)
        result = getattr(kernels, function)(w, 0.3)
        assert_close(result, expected)
        np.testing.assert_allclose(result, expected, rtol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", NAMES)
def test_backward_equals_reference(name, isa, dtype):
    """Of l1_penalty_backward and l2_penalty_backward; one product rounds once."""
    function = f"{name}_backward"
    dy = np.array(1.7, dtype)
    for shape in SHAPES:
        w = weights(shape, dtype)
        expected = getattr(reference, function)(dy, w, 0.3)
        np.testing.assert_array_equal(getattr(kernels, function)(dy, w, 0.3), expected)


def test_l1_penalty_backward_at_zero_and_nan(isa, dtype):
    w = np.array([0.0, -0.0, 2.0, -2.0, np.nan, np.inf] * 3, dtype)
    dw = kernels.l1_penalty_backward(np.array(2.0, dtype), w, 3.0)
    np.testing.assert_array_equal(dw, [0, 0, 6, -6, np.nan, 6] * 3)


def limited(module, w, limit=1.2):
    w = w.copy()
    assert module.max_norm_step(w, limit=limit) is None
    return w


def test_max_norm_step_equals_reference(isa, dtype, assert_close):
    for shape in MATRICES:
        w = weights(shape, dtype)
        assert_close(limited(kernels, w), limited(reference, w))


def test_max_norm_step_of_strange_columns(isa, dtype):
    w = np.ones((9, 4), dtype)
    w[2, 1], w[3, 2] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        expected = limited(reference, w, 100.0)
    np.testing.assert_array_equal(limited(kernels, w, 100.0), expected)
    np.testing.assert_array_equal(np.isnan(expected).all(0), [0, 1, 0, 0])


def test_max_norm_step_leaves_small_columns_alone(isa, dtype):
    w = weights((50, 7), dtype)
    np.testing.assert_array_equal(limited(kernels, w, 100.0), w)
    small = w * np.array([1, 100, 1, 1, 1, 1, 1], dtype)
    result = limited(kernels, small, 50.0)
    assert (np.delete(result, 1, 1) == np.delete(small, 1, 1)).all()
    assert np.linalg.norm(result[:, 1]) == pytest.approx(50, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_for_threads(name, dtype, same_bits_for_threads):
    w, dy = weights((300_001,), dtype), np.array(1.5, dtype)
    same_bits_for_threads(lambda: getattr(kernels, f"{name}_forward")(w, 0.1))
    same_bits_for_threads(lambda: getattr(kernels, f"{name}_backward")(dy, w, 0.1))


@pytest.mark.parametrize("shape", [(300_001,), (100_000, 3), (600, 500)])
def test_same_bits_of_limits_for_threads(shape, dtype, same_bits_for_threads):
    w = weights(shape, dtype)
    same_bits_for_threads(lambda: limited(kernels, w))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 9_000), st.sampled_from(["float32", "float64"]), st.booleans())
def test_random_sizes(n, dtype, strided):
    w = weights((n, 2), dtype, n)[:, 0] if strided else weights((n,), dtype, n)
    for name in NAMES:
        function = f"{name}_forward"
        np.testing.assert_allclose(
            getattr(kernels, function)(w, 2.0),
            getattr(reference, function)(w, 2.0),
            rtol=16 * np.finfo(dtype).eps,
        )


def test_max_norm_step_refuses():
    w = np.ones((3, 4), np.float32)
    for limit in (0, -1, np.inf, np.nan, "1"):
        with pytest.raises(ArgumentError, match="max_norm_step: limit must be"):
            kernels.max_norm_step(w, limit=limit)
    with pytest.raises(ArgumentError, match="max_norm_step: weight is updated"):
        kernels.max_norm_step(w[:, ::2], limit=1.0)
    with pytest.raises(DtypeError, match="max_norm_step: weight"):
        kernels.max_norm_step(np.ones((3, 4), int), limit=1.0)
    with pytest.raises(ShapeError, match="max_norm_step: expected weight"):
        kernels.max_norm_step(np.array(1.0), limit=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_only_reals(name):
    with pytest.raises(DtypeError, match=f"^{name}: w "):
        getattr(kernels, f"{name}_forward")(np.ones(3, int), 1.0)
    with pytest.raises(DtypeError, match=f"^{name}_backward: w "):
        getattr(kernels, f"{name}_backward")(np.ones(()), np.ones(3, int), 1.0)
