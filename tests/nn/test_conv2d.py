"""The convolutional layer."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.errors import ShapeError


def count(module):
    return sum(parameter.size for parameter in module.parameters())


def test_ten_filters_have_280_parameters():
    """S40: 10 filters 3x3x3, each with a bias."""
    assert count(nn.Conv2d(3, 10, 3)) == 280


def test_passes_all_arguments():
    layer = nn.Conv2d(4, 6, (3, 2), (2, 1), ((1, 0), (2, 1)), 2, groups=2)
    x = np.random.default_rng(0).standard_normal((2, 9, 8, 4)).astype(np.float32)
    y = F.conv2d(
        x,
        layer.weight,
        layer.bias,
        stride=(2, 1),
        padding=((1, 0), (2, 1)),
        dilation=2,
        groups=2,
    )
    assert layer.weight.shape == (3, 2, 2, 6)
    np.testing.assert_array_equal(layer(x).numpy(), y.numpy())


def test_depthwise_starts_by_he_of_its_own_fan():
    """S08: one filter reads 3 x 3 pixels of one channel."""
    layer = nn.Conv2d(None, 4000, 3, groups=4000)
    layer.build((3, 3, 4000))
    assert layer.weight.shape == (3, 3, 1, 4000)
    assert layer.weight.data.var() == pytest.approx(2 / 9, rel=0.05)


def test_one_image_or_grey_images_need_all_axes():
    with pytest.raises(ShapeError, match=r"conv2d: expected .* channel axis"):
        nn.Conv2d(None, 3, 3)(np.zeros((2, 8, 8), np.float32))


@pytest.mark.parametrize(
    "arguments",
    [
        {"out_channels": 0},
        {"kernel_size": 0},
        {"kernel_size": (3, 3, 3)},
        {"stride": 0},
        {"dilation": -1},
        {"padding": -1},
        {"padding": "smae"},
        {"groups": 3},
        {"groups": 0},
    ],
)
def test_arguments_are_checked_at_once(arguments):
    full = {"in_channels": 4, "out_channels": 6, "kernel_size": 3} | arguments
    with pytest.raises(ShapeError, match=r"^[Cc]onv2d: .*"):
        nn.Conv2d(**full)


def test_a_saved_geometry_beyond_any_memory_is_refused(tmp_path):
    """It came from a file that somebody made, and wrote past its scratch memory."""
    sides = [2**31, 2**31 - 1]
    layer = nn.Conv2d(2, 1, 2, dilation=2**32 - 1, padding=[sides, sides])
    nn.save(layer, tmp_path / "m")
    again = nn.load(tmp_path / "m")
    x = np.zeros((1, 5, 5, 2), np.float32)
    with pytest.raises(ShapeError, match=r"conv2d: the padded x .* any memory holds"):
        again(x)


def test_s37_flip():
    """S37: true convolution as an option of the layer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 5, 6, 2)).astype(np.float32)
    layer, flipped = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3, flip=True)
    flipped.weight.data[...] = layer.weight.data[::-1, ::-1]
    np.testing.assert_allclose(flipped(x).numpy(), layer(x).numpy(), rtol=1e-6)
    assert repr(flipped).endswith("flip=True)")
