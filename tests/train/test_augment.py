"""Random shifts."""

import numpy as np
import pytest

from fastdl.data import DataLoader
from fastdl.errors import ArgumentError
from fastdl.train import random_shift


class Fixed:
    """Stands for a generator that draws what the test wants."""

    def __init__(self, down, right):
        self.corner = -np.array([down, right], float)

    def uniform(self, low, high, shape):
        assert np.abs(self.corner).max() <= high
        assert shape == self.corner.shape
        return self.corner


def shifted(x, down, right, pixels=2, mode="constant"):
    y = np.arange(len(x))
    x, labels = random_shift(pixels, mode)(x, y, Fixed(down, right))
    assert labels is y
    return x


def point():
    x = np.zeros((1, 4, 5, 2), np.float32)
    x[0, 1, 2] = 1, 10
    return x


def test_whole_pixels():
    x = shifted(point(), [2], [-1])
    assert np.argwhere(x[..., 0]).tolist() == [[0, 3, 1]]
    assert x[0, 3, 1].tolist() == [1, 10]


def test_fractions_are_bilinear():
    x = shifted(point(), [0.25], [0.5])
    expected = np.zeros((4, 5))
    expected[1, 2:4] = 0.75 * 0.5
    expected[2, 2:4] = 0.25 * 0.5
    np.testing.assert_allclose(x[0, ..., 0], expected)
    np.testing.assert_allclose(x[0, ..., 1], 10 * expected)


def test_each_picture_has_its_own_shift():
    x = shifted(np.repeat(point(), 3, axis=0), [0, 1, -1], [0, 2, -2])
    assert np.argwhere(x[..., 0]).tolist() == [[0, 1, 2], [1, 2, 4], [2, 0, 0]]


@pytest.mark.parametrize(("mode", "value"), [("constant", 0), ("edge", 7)])
def test_border(mode, value):
    x = np.full((1, 3, 3, 1), 7, np.float32)
    assert shifted(x, [2], [0], mode=mode)[0, 0, 0, 0] == value


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_type_and_layout_stay(dtype):
    x = np.random.default_rng(0).random((3, 5, 4, 2)).astype(dtype)
    y, _ = random_shift(1.5)(x, None, np.random.default_rng(0))
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert y.flags.c_contiguous


def test_shifts_fill_their_range_evenly():
    x = np.zeros((4000, 7, 7, 1), np.float32)
    x[:, 3, 3] = 1
    y, _ = random_shift(2)(x, None, np.random.default_rng(0))
    rows = (y.sum(axis=(2, 3)) * np.arange(7)).sum(axis=1)  # centres of gravity
    assert rows.min() == pytest.approx(1, abs=0.01)
    assert rows.max() == pytest.approx(5, abs=0.01)
    counts, _ = np.histogram(rows, bins=4, range=(1, 5))
    assert (np.abs(counts - 1000) < 120).all()  # four standard deviations


def test_same_batches_from_the_same_seed():
    def batches(seed):
        x = np.random.default_rng(0).random((8, 6, 6, 1), np.float32)
        loader = DataLoader(x, 4, seed=seed, transform=random_shift(1))
        return [batch.tobytes() for batch, _ in loader]

    assert batches(0) == batches(0)
    assert batches(0) != batches(1)


@pytest.mark.parametrize("pixels", [0, -1, np.nan, np.inf, "2"])
def test_refuses(pixels):
    with pytest.raises(ArgumentError, match="random_shift: pixels must be above 0"):
        random_shift(pixels)
