"""S32: the networks that people come for are fitted to another task."""

import copy

import numpy as np
import pytest

import fastdl
from fastdl import models, nn, optim
from fastdl.train import FrozenTrunk, Trainer

RNG = np.random.default_rng(0)
X = RNG.random((6, 32, 32, 3), np.float32)
Y = np.arange(6) % 3
# With their last block, from which on fine-tuning may begin.
NETWORKS = {
    "resnet18": "layer4",
    "resnet50": "layer4.1",
    "mobilenet_v2": "features.17",
    "efficientnet_b0": "features.7",
    "vgg11_bn": "classifier",
}


def network(name):
    fastdl.manual_seed(0)
    model = models.create(name, classes=5, width_mult=0.125)
    model.build((32, 32, 3))
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_a_new_head_on_a_frozen_trunk(name):
    """S32: nothing but the head changes: no statistics, no random numbers."""
    model = network(name)
    head = list(dict(model.named_modules()))[-1]
    model.replace_head(3).freeze(until=head)
    before = copy.deepcopy(model.state_dict())
    Trainer(model, optimizer=optim.Adam).fit(X, Y, batch_size=3)
    after = model.state_dict()
    changed = [key for key in before if (after[key] != before[key]).any()]
    assert changed == [f"{head}.weight", f"{head}.bias"]


@pytest.mark.parametrize(("name", "block"), NETWORKS.items())
def test_the_features_of_a_frozen_trunk(name, block):
    """S32"""
    model = network(name)
    frozen = FrozenTrunk(model, until=block)
    expected = Trainer(model).predict(X)
    features = frozen.features((X, Y), batch_size=4)
    answers = Trainer(frozen.head).predict(features)
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_rates_rise_from_the_first_layer_to_the_head(name):
    """S32"""
    model = network(name)
    groups = optim.depth_groups(model, 1.0, 0.5)
    names = {id(p): key for key, p in model.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in groups for p in group["params"]}
    assert list(rates.values()) == sorted(rates.values(), reverse=True)
    weights = [rates[key] for key, _ in nn.named_weights(model)]
    assert weights[0] == min(weights)
    assert weights[-1] == 1.0
    assert weights == sorted(weights)
    assert rates.keys() == dict(model.named_parameters()).keys()
