"""Arguments of layers and losses that are no such thing: told where they are given."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, FastdlError

WEIGHTS = np.ones(3)


@pytest.mark.parametrize("value", ["same", 1, WEIGHTS, None], ids=str)
@pytest.mark.parametrize(
    ("layer", "option"),
    [
        (lambda **options: nn.Linear(3, 4, **options), "bias"),
        (lambda **options: nn.Conv2d(3, 4, 3, **options), "bias"),
        (lambda **options: nn.Conv2d(3, 4, 3, **options), "flip"),
        (lambda **options: nn.MaxPool2d(2, **options), "ceil_mode"),
        (lambda **options: nn.AvgPool2d(2, **options), "ceil_mode"),
        (lambda **options: nn.AvgPool2d(2, **options), "count_include_pad"),
    ],
)
def test_what_is_true_or_false(layer, option, value):
    with pytest.raises(ArgumentError, match=rf"2?d?: {option} must be True or False"):
        layer(**{option: value})
    layer(**{option: np.True_})


@pytest.mark.parametrize("value", ["a", [1], WEIGHTS, np.nan, np.inf], ids=str)
@pytest.mark.parametrize("layer", [nn.LeakyReLU, nn.ELU, nn.Softplus, nn.PReLU])
def test_the_parameter_of_an_activation(layer, value):
    with pytest.raises(ArgumentError, match=rf"^{layer.__name__}: .* finite.* number"):
        layer(**{"init": value} if layer is nn.PReLU else {_name(layer): value})


def _name(layer):
    return {nn.LeakyReLU: "negative_slope", nn.ELU: "alpha"}.get(layer, "beta")


@pytest.mark.parametrize("layer", [nn.ELU, nn.Softplus])
def test_a_parameter_that_must_be_positive(layer):
    with pytest.raises(ArgumentError, match=rf"^{layer.__name__}: .* finite positive"):
        layer(0)


@pytest.mark.parametrize("reduction", [WEIGHTS, [1.0, 2.0], None], ids=str)
def test_weights_of_classes_in_the_place_of_the_reduction(reduction):
    """PyTorch has them there."""
    told = "CrossEntropyLoss: (unknown reduction|make the loss before)"
    with pytest.raises(ArgumentError, match=told):
        nn.CrossEntropyLoss(reduction)
    with pytest.raises(ArgumentError, match="cross_entropy: unknown reduction"):
        F.cross_entropy(np.zeros((2, 3)), [0, 1], reduction)


@pytest.mark.parametrize("weight_init", [WEIGHTS, ["he_normal"], None], ids=str)
def test_initial_weights_that_are_none(weight_init):
    with pytest.raises(FastdlError, match=r"^Linear: .*(weight_init|init: no method)"):
        nn.Linear(3, 4, weight_init=weight_init)
