"""Parameter groups: for weight decay, and for learning rates by depth."""

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import ArgumentError, GraphError


@pytest.fixture
def model():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)
    )


def test_biases_and_norms_do_not_decay(model):
    """S19: not on b, gamma, beta."""
    weights, others = optim.decay_groups(model, 0.1)
    assert [id(p) for p in weights["params"]] == [
        id(model[0].weight),
        id(model[3].weight),
    ]
    assert len(others["params"]) == 4
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    optimizer = optim.AdamW(optim.decay_groups(model, 0.1), lr=0.5)
    for parameter in model.parameters():
        parameter.grad = np.zeros_like(parameter.data)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 1 - 0.5 * 0.1 if name in ("0.weight", "3.weight") else 1
        np.testing.assert_allclose(parameter.data, factor * before[name], rtol=1e-6)


def test_no_empty_groups():
    (group,) = optim.decay_groups(nn.Linear(2, 2, bias=False), 0.1)
    assert group["weight_decay"] == 0.1
    (group,) = optim.decay_groups(nn.BatchNorm1d(2), 0.1)
    assert group["weight_decay"] == 0


def test_open_sizes():
    with pytest.raises(GraphError, match="build"):
        optim.decay_groups(nn.Linear(None, 2), 0.1)


class Block(nn.Module):
    def __init__(self):
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.conv2 = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return x + self.conv2(self.conv1(x))


def deep():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU()),
        nn.Sequential(Block(), Block()),
        nn.GlobalAvgPool2d(),
        nn.Linear(3, 2),
    )


def names(model, groups):
    own = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[own[id(parameter)] for parameter in group["params"]] for group in groups]


def test_a_rate_for_each_depth():
    """S32: the head first, since a schedule sets the rate of the first group."""
    model = deep()
    groups = optim.depth_groups(model, 0.1, layer_decay=0.5)
    assert [group["lr"] for group in groups] == [0.1, 0.05, 0.025, 0.0125]
    block = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
    assert names(model, groups) == [
        ["3.weight", "3.bias"],
        [f"1.1.{name}" for name in block],
        [f"1.0.{name}" for name in block],
        ["0.0.weight", "0.1.weight", "0.1.bias"],
    ]


def test_depths_of_an_own_module_and_of_shared_layers():
    class Net(nn.Module):
        def __init__(self):
            self.norm = nn.BatchNorm1d(3)
            self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
            self.again = self.blocks[0]
            self.fc = nn.Linear(3, 2)

    model = Net()
    groups = optim.depth_groups(model, 1.0, layer_decay=0.5)
    assert names(model, groups) == [
        ["fc.weight", "fc.bias"],
        ["blocks.1.weight", "blocks.1.bias"],
        ["blocks.0.weight", "blocks.0.bias"],
        ["norm.weight", "norm.bias"],
    ]


def test_weight_decay_and_depth():
    """S32: of each depth only the weights decay."""
    model = deep()
    groups = optim.depth_groups(model, 0.1, 0.5, weight_decay=0.01)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (rate, decay) for rate in (0.1, 0.05, 0.025, 0.0125) for decay in (0.01, 0)
    ]
    plain = optim.decay_groups(model, 0.01)
    for decay, group in zip((0.01, 0), plain, strict=True):
        alike = [p for g in groups if g["weight_decay"] == decay for p in g["params"]]
        assert set(map(id, alike)) == set(map(id, group["params"]))


def test_a_schedule_keeps_the_ratios():
    optimizer = optim.SGD(optim.depth_groups(deep(), 0.1, 0.5))
    optim.Scheduler(optimizer, lambda t: 0.8)
    rates = [group["lr"] for group in optimizer.param_groups]
    np.testing.assert_allclose(rates, [0.8, 0.4, 0.2, 0.1])


def test_a_step_is_scaled_by_depth():
    model = deep()
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    optimizer = optim.SGD(optim.depth_groups(model, 0.5, 0.5))
    for parameter in model.parameters():
        parameter.grad = np.ones_like(parameter.data)
    optimizer.step()
    for name, rate in {
        "3.bias": 0.5,
        "1.1.conv1.bias": 0.25,
        "0.1.bias": 0.0625,
    }.items():
        moved = before[name] - dict(model.named_parameters())[name].data
        np.testing.assert_allclose(moved, rate)


@pytest.mark.parametrize("decay", [0, -1, 1.5, float("nan"), "x"])
def test_no_such_decay(decay):
    with pytest.raises(ArgumentError, match=r"layer_decay is a number in \(0, 1\]"):
        optim.depth_groups(deep(), 0.1, decay)


@pytest.mark.parametrize("lr", [0, -0.1, float("nan"), "a"])
def test_no_such_rate(lr):
    with pytest.raises(ArgumentError, match="depth_groups: lr must be positive"):
        optim.depth_groups(deep(), lr)
