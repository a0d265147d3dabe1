"""The transposed convolutional layer."""

import numpy as np
import pytest

from fastdl import nn
from fastdl.errors import ShapeError


def test_shapes_and_parameters():
    layer = nn.ConvTranspose2d(None, 6, 2, stride=2)
    assert layer.build((5, 7, 4)) == (10, 14, 6)
    assert layer.weight.shape == (2, 2, 6, 4)
    assert layer.bias.shape == (6,)
    assert layer.multiply_adds((10, 14, 6)) == 5 * 7 * 4 * 6 * 2 * 2
    options = {"stride": 2, "padding": 1, "output_padding": 1}
    layer = nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False, **options)
    assert layer.build((5, 7, 4)) == (10, 14, 6)
    assert layer.weight.shape == (3, 3, 3, 4)
    assert layer.bias is None


def test_is_drawn_as_a_convolution():
    """The variance is that of as many inputs, also with groups."""
    for groups in (1, 4):
        weight = nn.ConvTranspose2d(256, 64, 3, groups=groups).weight.data
        expected = np.sqrt(2 / (3 * 3 * 256 / groups))
        assert weight.std() == pytest.approx(expected, rel=0.05)


def test_undoes_the_size_of_a_strided_convolution():
    down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1)
    model = nn.Sequential(down, nn.ReLU(), up, nn.ReLU())
    assert model.build((8, 12, 3)) == (8, 12, 3)
    x = np.random.default_rng(0).standard_normal((2, 8, 12, 3)).astype(np.float32)
    expected = up(down(x).numpy().clip(0)).numpy().clip(0)
    assert expected.any()
    np.testing.assert_allclose(model(x).numpy(), expected, atol=1e-6)


def test_arguments_are_checked_at_once():
    for options in ({"stride": 0}, {"output_padding": -1}, {"padding": "full"}):
        with pytest.raises(ShapeError, match="ConvTranspose2d: "):
            nn.ConvTranspose2d(3, 4, 2, **options)
    with pytest.raises(ShapeError, match="conv_transpose2d: groups must divide"):
        nn.ConvTranspose2d(3, 4, 2, groups=2)
    with pytest.raises(ShapeError, match="expected images"):
        nn.ConvTranspose2d(None, 4, 2).build((5,))
