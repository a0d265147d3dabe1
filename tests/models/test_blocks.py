"""Blocks of layers: what follows from what."""

import numpy as np
import pytest

from fastdl import models, nn
from fastdl.errors import ArgumentError
from fastdl.models import conv_block, dense_block

ROWS = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
IMAGES = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("norm", "layer"),
    [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm), (None, None)],
)
def test_a_dense_layer_before_a_norm_has_no_bias(norm, layer):
    """S17"""
    block = dense_block(6, norm=norm)
    kinds = [nn.Linear, *([layer] if norm else []), nn.ReLU]
    assert [type(part) for part in block] == kinds
    assert nn.Sequential(*block)(ROWS).shape == (8, 6)
    assert (block[0].bias is None) == (norm is not None)


@pytest.mark.parametrize(
    ("norm", "layer"),
    [
        ("batch", nn.BatchNorm2d),
        ("layer", nn.LayerNorm),
        (lambda: nn.GroupNorm(3), nn.GroupNorm),
        (None, None),
    ],
)
def test_a_convolution_before_a_norm_has_no_bias(norm, layer):
    """S17"""
    block = conv_block(6, 5, stride=2, norm=norm, pool=2, dropout=0.1)
    kinds = [nn.Conv2d, *([layer] if norm else []), nn.ReLU, nn.MaxPool2d, nn.Dropout2d]
    assert [type(part) for part in block] == kinds
    assert nn.Sequential(*block)(IMAGES).shape == (4, 2, 2, 6)
    assert (block[0].bias is None) == (norm is not None)


@pytest.mark.parametrize("block", [dense_block, conv_block])
@pytest.mark.parametrize(
    ("activation", "method", "layers"),
    [
        ("relu", "he_normal", [nn.ReLU]),
        ("leaky_relu", "he_normal", [nn.LeakyReLU]),
        ("tanh", "xavier_normal", [nn.Tanh]),
        ("sigmoid", "glorot_normal", [nn.Sigmoid]),
        (None, "glorot_normal", []),
        ("identity", "glorot_normal", []),
    ],
)
def test_weights_start_as_the_activation_needs_it(block, activation, method, layers):
    """S08: the default by the activation that follows."""
    layer, *rest = block(4, activation=activation)
    assert layer.weight_init == method
    assert [type(part) for part in rest] == layers


def test_dense_dropout():
    assert repr(dense_block(4, dropout=0.3)[-1]) == "Dropout(p=0.3)"


def test_names_that_do_not_exist():
    with pytest.raises(ArgumentError, match="unknown activation 'rleu'; did you mean"):
        dense_block(4, activation="rleu")
    with pytest.raises(ArgumentError, match="unknown norm 'bach'; did you mean"):
        conv_block(4, norm="bach")


def test_mlp_takes_the_options_of_its_blocks():
    model = models.mlp(3, hidden=(8, 4), activation="tanh", norm="batch", dropout=0.2)
    assert [type(layer).__name__ for layer in model] == [
        "Flatten",
        *["Linear", "BatchNorm1d", "Tanh", "Dropout"] * 2,
        "Linear",
    ]
    assert model(ROWS).shape == (8, 3)
