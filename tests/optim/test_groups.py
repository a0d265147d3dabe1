"""Parameter groups for weight decay."""

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import GraphError


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
