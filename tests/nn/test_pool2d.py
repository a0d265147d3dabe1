"""Pooling layers."""

import numpy as np
import pytest

from fastdl import nn
from fastdl.errors import ShapeError


def test_max_and_average():
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    top = nn.MaxPool2d(2)(x).numpy()
    np.testing.assert_array_equal(top[0, :, :, 0], [[5, 7], [13, 15]])
    mean = nn.AvgPool2d((2, 2), stride=2)(x).numpy()
    np.testing.assert_array_equal(mean[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(nn.GlobalAvgPool2d()(x).numpy(), [[7.5]])


@pytest.mark.parametrize("layer", [nn.MaxPool2d, nn.AvgPool2d])
def test_shapes_without_parameters(layer):
    """S42: 5x5x2 with f = 3, s = 1 gives 3x3x2."""
    pool = layer(3, 1)
    assert pool.build((5, 5, 2)) == (3, 3, 2)
    assert not list(pool.parameters())
    assert layer(3, 2, "same").build((7, 6, 1)) == (4, 3, 1)


@pytest.mark.parametrize("layer", [nn.MaxPool2d, nn.AvgPool2d])
def test_ceil_mode(layer):
    """GoogLeNet's pooling."""
    assert layer(3, 2).build((112, 112, 4)) == (55, 55, 4)
    assert layer(3, 2, ceil_mode=True).build((112, 112, 4)) == (56, 56, 4)


def test_count_include_pad():
    """By default padding counts as zeros, as in PyTorch."""
    x = np.ones((1, 2, 2, 1), np.float32)
    y = nn.AvgPool2d(2, padding=1)(x).numpy()
    np.testing.assert_array_equal(y, 0.25)
    y = nn.AvgPool2d(2, padding=1, count_include_pad=False)(x).numpy()
    np.testing.assert_array_equal(y, 1)


def test_global_average_of_1000_channels():
    """S42: 7x7x1000 gives 1000 numbers."""
    assert nn.GlobalAvgPool2d().build((7, 7, 1000)) == (1000,)


def test_adaptive_average():
    """One classifier for pictures of any size: VGG's 7 x 7."""
    pool = nn.AdaptiveAvgPool2d(7)
    assert pool.build((8, 10, 512)) == (7, 7, 512)
    assert nn.AdaptiveAvgPool2d((None, 1)).build((8, 10, 3)) == (8, 1, 3)
    x = np.arange(10, dtype=np.float32).reshape(1, 2, 5, 1)
    y = nn.AdaptiveAvgPool2d((1, 2))(x).numpy()  # columns 0 to 2, and 2 to 4
    np.testing.assert_allclose(y[0, 0, :, 0], [3.5, 5.5])
    with pytest.raises(ShapeError, match="AdaptiveAvgPool2d: output_size must be"):
        nn.AdaptiveAvgPool2d((7, -1))


@pytest.mark.parametrize("arguments", [(0,), (2, 0), (2, 2, -1), (2, 2, "full")])
@pytest.mark.parametrize("layer", [nn.MaxPool2d, nn.AvgPool2d])
def test_arguments_are_checked_at_once(layer, arguments):
    with pytest.raises(ShapeError, match=f"{layer.__name__}: "):
        layer(*arguments)
