"""The dense layer."""

import numpy as np
import pytest

from fastdl import nn
from fastdl.errors import ShapeError


def test_rows_times_weight_plus_bias():
    layer = nn.Linear(2, 3)
    layer.weight.data[...] = [[1, 2, 3], [4, 5, 6]]
    layer.bias.data[...] = [10, 20, 30]
    y = layer(np.array([[1, 1], [2, 0]], np.float32))
    np.testing.assert_array_equal(y.numpy(), [[15, 27, 39], [12, 24, 36]])


def test_starts_by_he_and_zero_bias():
    """S08"""
    layer = nn.Linear(500, 400)
    assert layer.weight.data.var() == pytest.approx(2 / 500, rel=0.05)
    assert not layer.bias.data.any()


def test_without_bias():
    layer = nn.Linear(None, 3, bias=False)
    layer.build((4,))
    assert layer.bias is None
    assert layer.config() == {
        "in_features": 4,
        "out_features": 3,
        "bias": False,
        "weight_init": "he_normal",
    }
    assert list(layer.state_dict()) == ["weight"]


def test_images_need_flatten():
    with pytest.raises(ShapeError, match=r"linear: expected rows .* put a Flatten"):
        nn.Linear(None, 3)(np.zeros((2, 4, 4, 1), np.float32))


def test_wrong_width():
    with pytest.raises(ShapeError, match="5"):
        nn.Linear(4, 3)(np.zeros((2, 5), np.float32))


def test_a_failed_first_call_leaves_the_size_open():
    layer = nn.Linear(None, 3)
    with pytest.raises(ShapeError):
        layer(np.zeros((2, 4, 1), np.float32))
    assert layer(np.zeros((2, 7), np.float32)).shape == (2, 3)


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (3, 2.5), ("3", 3)])
def test_sizes_are_positive_integers(sizes):
    with pytest.raises(ShapeError, match=r"Linear: .* must be an integer >= 1"):
        nn.Linear(*sizes)
