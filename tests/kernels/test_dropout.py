"""Dropout: the same mask on every backend, instruction set and thread count (S21)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError


def ones(n, dtype="float32"):
    x = np.ones(n, dtype)
    x.flags.writeable = False
    return x


# Within and beside the blocks of 4 words, and where the counter's words carry.
@pytest.mark.parametrize("offset", [0, 1, 7, 2**34 - 3, 2**40 + 2, 2**64 - 5])
@pytest.mark.parametrize("n", [0, 1, 5, 31, 33, 1000, 20_000])
def test_equals_reference(n, offset, isa, dtype):
    x = np.random.default_rng(0).standard_normal(n).astype(dtype)
    for seed, keep_prob in ((0, 0.5), (2**64 - 1, 0.1), (12345678901234567890, 1.0)):
        options = {"seed": seed, "offset": offset}
        expected = reference.dropout_forward(x, keep_prob, **options)
        actual = kernels.dropout_forward(x, keep_prob, **options)
        assert actual.tobytes() == expected.tobytes()
        back = kernels.dropout_backward(x, keep_prob, **options)
        assert back.tobytes() == expected.tobytes()


def test_same_bits_for_threads(dtype, same_bits_for_threads):
    x = np.random.default_rng(0).standard_normal(70_001).astype(dtype)
    same_bits_for_threads(lambda: kernels.dropout_forward(x, 0.3, seed=9, offset=5))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(0, 12), max_size=3),
    keep_prob=st.floats(1e-12, 1),
    seed=st.integers(0, 2**64 - 1),
    offset=st.integers(0, 2**60),
)
def test_random_arguments(shape, keep_prob, seed, offset):
    x = np.ones(shape, np.float32)
    options = {"seed": seed, "offset": offset}
    actual = kernels.dropout_forward(x, keep_prob, **options)
    expected = reference.dropout_forward(x, keep_prob, **options)
    assert actual.shape == tuple(shape)
    assert actual.tobytes() == expected.tobytes()


def test_a_part_has_the_mask_of_the_whole(isa):
    """An offset continues the stream: the mask of a batch can be made in pieces."""
    whole = kernels.dropout_forward(ones(100), 0.5, seed=3, offset=0)
    part = kernels.dropout_forward(ones(60), 0.5, seed=3, offset=37)
    np.testing.assert_array_equal(part, whole[37:97])


def test_keeps_the_expected_share(dtype):
    y = kernels.dropout_forward(ones(100_000, dtype), 0.7, seed=1, offset=0)
    assert np.unique(y).tolist() == [0, dtype.type(1 / 0.7)]
    assert np.count_nonzero(y) / y.size == pytest.approx(0.7, abs=0.01)


def test_a_dropped_nan_is_zero_and_a_kept_one_stays(isa, dtype):
    x = np.full(1000, np.nan, dtype)
    y = kernels.dropout_forward(x, 0.5, seed=1, offset=0)
    kept = kernels.dropout_forward(ones(1000, dtype), 0.5, seed=1, offset=0) != 0
    assert np.isnan(y[kept]).all()
    assert (y[~kept] == 0).all()


def test_a_view_gives_the_result_of_its_copy():
    x = np.random.default_rng(0).standard_normal((30, 20))[::2, ::3]
    np.testing.assert_array_equal(
        kernels.dropout_forward(x, 0.5, seed=1, offset=0),
        kernels.dropout_forward(x.copy(), 0.5, seed=1, offset=0),
    )


@pytest.mark.parametrize("keep_prob", [0, -0.1, 1.5, float("nan")])
def test_keep_prob_out_of_range(keep_prob):
    with pytest.raises(ArgumentError, match="keep_prob must be above 0 and at most 1"):
        kernels.dropout_forward(ones(3), keep_prob, seed=0, offset=0)


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="seed must be an integer"):
        kernels.dropout_forward(ones(3), 0.5, seed=2**64, offset=0)
    with pytest.raises(ArgumentError, match="offset must be an integer"):
        kernels.dropout_forward(ones(3), 0.5, seed=0, offset=-1)
    with pytest.raises(ArgumentError, match=r"offset must be an integer.*got 0\.5"):
        kernels.dropout_forward(ones(3), 0.5, seed=0, offset=0.5)
    with pytest.raises(DtypeError, match="dropout_backward: dy is int64"):
        kernels.dropout_backward(np.arange(3), 0.5, seed=0, offset=0)
