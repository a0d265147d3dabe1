"""Dropout: the same mask in both directions."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl.random
from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, ShapeError


def test_gradient_passes_the_same_mask(check_gradients):
    """S21."""
    check_gradients(lambda x: F.dropout(x, 0.4, seed=3, offset=5), np.ones((4, 5)))


def test_kept_elements_are_scaled():
    """S21."""
    y = F.dropout(np.ones(10_000), 0.25, seed=1).data
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert abs(y.mean() - 1) < 0.02


@pytest.mark.parametrize("options", [{"training": False}, {"p": 0.0}], ids=str)
def test_off(options):
    x = Tensor(np.ones(3), requires_grad=True)
    assert F.dropout(x, **options) is x


def test_fresh_seeds_come_from_the_library():
    x = np.ones(100)
    fastdl.random.seed(7)
    first, second = F.dropout(x).data, F.dropout(x).data
    fastdl.random.seed(7)
    assert (F.dropout(x).data == first).all()
    assert (first != second).any()


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_probability_out_of_range(p):
    with pytest.raises(ArgumentError, match="dropout"):
        F.dropout(np.ones(3), p)
    with pytest.raises(ArgumentError, match="dropout"):
        F.dropout(np.ones(3), p, training=False)


# Whole channels

IMAGES = np.ones((20, 3, 5, 50))


def test_channels_are_kept_or_dropped_as_a_whole():
    """S21: spatial dropout."""
    y = F.dropout2d(IMAGES, 0.25, seed=1).data
    channels = y[:, 0, 0]
    assert (y == channels[:, None, None]).all()
    assert set(np.unique(channels)) == {0.0, 1 / 0.75}
    assert abs(channels.mean() - 1) < 0.06


def test_gradient_passes_the_same_channels(check_gradients):
    """S21"""
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 4))
    check_gradients(lambda x: F.dropout2d(x, 0.4, seed=3, offset=5), x)


def test_channels_of_one_stream():
    """The second half of a batch has the mask that begins at its place."""
    whole = F.dropout2d(IMAGES, seed=4).data
    part = F.dropout2d(IMAGES[10:], seed=4, offset=10 * 50).data
    assert (whole[10:] == part).all()


def test_dropout2d_off_and_wrong():
    x = Tensor(IMAGES)
    assert F.dropout2d(x, training=False) is x
    assert F.dropout2d(x, 0.0) is x
    with pytest.raises(ArgumentError, match="dropout2d: expected p"):
        F.dropout2d(x, 1.0)
    with pytest.raises(ShapeError, match="dropout2d: expected images"):
        F.dropout2d(np.ones((3, 4)))
