"""The activation with learned slopes."""

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import ShapeError


def test_starts_with_its_slope():
    layer = nn.PReLU()
    x = np.array([[-4.0, 8]], np.float32)
    np.testing.assert_array_equal(layer(x).numpy(), [[-1, 8]])
    assert [(n, p.shape) for n, p in layer.named_parameters()] == [("weight", (1,))]
    assert nn.PReLU(3, init=0.5).weight.data.tolist() == [0.5] * 3


def test_learns_its_slopes():
    """y = |x| has the slopes -1."""
    layer = nn.PReLU(2)
    x = np.random.default_rng(0).standard_normal((64, 2)).astype(np.float32)
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        nn.MSELoss()(layer(x), np.abs(x)).backward()
        optimizer.step()
    np.testing.assert_allclose(layer.weight.data, -1, atol=1e-3)


def test_penalties_spare_the_slopes():
    model = nn.Sequential(nn.Linear(3, 2), nn.PReLU(2))
    assert [name for name, _ in nn.named_weights(model)] == ["0.weight"]


def test_wrong_channels():
    with pytest.raises(ShapeError, match="prelu: expected weight of shape"):
        nn.PReLU(3)(np.ones((2, 4), np.float32))
    with pytest.raises(ShapeError, match="PReLU: num_parameters"):
        nn.PReLU(0)
