"""Activation layers."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn

X = np.linspace(-8, 8, 33, dtype=np.float32).reshape(3, 11)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), F.relu),
        (nn.LeakyReLU(), lambda x: F.leaky_relu(x, 0.01)),
        (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3)),
        (nn.Sigmoid(), F.sigmoid),
        (nn.Tanh(), F.tanh),
        (nn.SiLU(), F.silu),
        (nn.ReLU6(), F.relu6),
        (nn.HardSwish(), F.hard_swish),
        (nn.GELU(), F.gelu),
        (nn.ELU(), F.elu),
        (nn.ELU(0.3), lambda x: F.elu(x, 0.3)),
        (nn.Softplus(), F.softplus),
        (nn.Softplus(3.0), lambda x: F.softplus(x, 3.0)),
        (nn.Softmax(), F.softmax),
        (nn.LogSoftmax(), F.log_softmax),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Module) else "",
)
def test_layer_is_the_function(layer, function):
    """S03"""
    np.testing.assert_array_equal(layer(X).numpy(), function(X).numpy())


def test_leaky_relu_slope():
    """S03: 0.01 by default."""
    np.testing.assert_allclose(nn.LeakyReLU()(X).numpy()[0, 0], -0.08, rtol=1e-6)


def test_softmax_of_the_course():
    """S06"""
    y = nn.Softmax()(np.array([[5, 2, -1, 3]], np.float32)).numpy()
    np.testing.assert_allclose(y, [[0.842, 0.042, 0.002, 0.114]], atol=5e-4)
