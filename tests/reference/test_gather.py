"""Rows of arrays; bytes become real numbers."""

import numpy as np
import pytest

from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.reference import gather, gather_backward


def test_rows_in_the_order_of_the_indices(rng):
    x = rng.random((5, 2, 3))
    y = gather(x, np.array([4, 0, 4]))
    np.testing.assert_array_equal(y, np.stack([x[4], x[0], x[4]]))
    y[...] = 0
    assert x.all()  # a copy


def test_bytes_become_numbers_from_0_to_1():
    x = np.arange(256, dtype=np.uint8).reshape(64, 4)
    y = gather(x, np.arange(64))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.ravel(), np.arange(256, dtype=np.float32) / 255)


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([0, 5], ArgumentError, "from 0 to 4, got 0 to 5"),
        ([-1], ArgumentError, "from 0 to 4, got -1"),
        ([0.0], DtypeError, "integer indices"),
        ([True, False, True, True, True], DtypeError, "integer indices"),
        ([[0]], ShapeError, r"indices \(n,\)"),
    ],
    ids=str,
)
def test_bad_indices(indices, error, message):
    with pytest.raises(error, match=message):
        gather(np.zeros((5, 2)), np.array(indices))


def test_gradients_of_copies_are_added(rng):
    dy = rng.random((3, 2))
    dx = gather_backward(dy, np.array([4, 0, 4]), 5)
    expected = np.stack([dy[1], 0 * dy[1], 0 * dy[1], 0 * dy[1], dy[0] + dy[2]])
    np.testing.assert_array_equal(dx, expected)
    np.testing.assert_array_equal(
        gather_backward(dy.T, np.array([4, 0, 4]), 5, axis=1), expected.T
    )


def test_bad_gradients():
    with pytest.raises(ShapeError, match=r"an axis 0 of size 2, .*, got \(4, 3\)"):
        gather_backward(np.zeros((4, 3)), np.array([0, 1]), 5)
    with pytest.raises(ArgumentError, match="from 0 to 4, got 0 to 5"):
        gather_backward(np.zeros((2, 3)), np.array([0, 5]), 5)
