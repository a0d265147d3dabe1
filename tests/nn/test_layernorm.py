"""Layer and group normalisation layers."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, ShapeError

IMAGES = np.random.default_rng(0).normal(3, 2, (4, 5, 5, 6)).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.LayerNorm(), lambda x: F.layer_norm(x, (6,))),
        (nn.LayerNorm(6), lambda x: F.layer_norm(x, (6,))),
        (nn.LayerNorm([5, 5, 6], 0.1), lambda x: F.layer_norm(x, (5, 5, 6), eps=0.1)),
        (nn.GroupNorm(3), lambda x: F.group_norm(x, 3)),
        (nn.GroupNorm(2, 6, eps=0.1), lambda x: F.group_norm(x, 2, eps=0.1)),
    ],
    ids=["last axis", "6", "image", "3 groups", "2 groups"],
)
def test_layer_is_the_function(layer, function):
    """S17"""
    expected = function(IMAGES)
    np.testing.assert_array_equal(layer(IMAGES).numpy(), expected.numpy())
    layer.weight.data[...] = 2
    layer.bias.data[...] = 1
    np.testing.assert_allclose(
        layer(IMAGES).numpy(), 2 * expected.numpy() + 1, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("layer", [nn.LayerNorm(), nn.GroupNorm(3)], ids=str)
def test_an_example_does_not_depend_on_the_others(layer):
    """S17: a single example is the same in training, in evaluation, in any batch."""
    together = layer.train()(IMAGES).numpy()
    np.testing.assert_array_equal(layer.eval()(IMAGES[:1]).numpy(), together[:1])


def test_open_sizes_are_saved_when_known():
    model = nn.Sequential(nn.LayerNorm(), nn.GroupNorm(2))
    model.build((5, 5, 6))
    assert nn.to_config(model)["layers"] == [
        {"class": "LayerNorm", "normalized_shape": [6], "eps": 1e-5},
        {"class": "GroupNorm", "num_groups": 2, "num_channels": 6, "eps": 1e-5},
    ]
    again = nn.from_config(nn.to_config(model))
    again.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(again(IMAGES).numpy(), model(IMAGES).numpy())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.LayerNorm(0), ShapeError, "LayerNorm: each size of normalized_"),
        (lambda: nn.LayerNorm(3, eps=0), ArgumentError, "LayerNorm: eps must be"),
        (lambda: nn.LayerNorm(3)(IMAGES), ShapeError, "layer_norm: expected x of"),
        (lambda: nn.GroupNorm(0), ShapeError, "GroupNorm: num_groups must be"),
        (lambda: nn.GroupNorm(4, 6), ShapeError, "divide the channels; got 4 for 6"),
        (lambda: nn.GroupNorm(4)(IMAGES), ShapeError, "group_norm: num_groups must"),
        (lambda: nn.GroupNorm(3, eps=-1), ArgumentError, "GroupNorm: eps must be"),
    ],
)
def test_wrong_use(make, error, message):
    with pytest.raises(error, match=message):
        make()
