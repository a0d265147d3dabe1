"""PReLU: gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import DtypeError, ShapeError


@pytest.mark.parametrize("channels", [1, 4])
def test_gradients(channels, rng, check_gradients):
    x, weight = rng.standard_normal((3, 5, 4)), rng.standard_normal(channels)
    check_gradients(F.prelu, x, weight)


def test_is_leaky_relu_with_its_slope(rng):
    x = rng.standard_normal((3, 4))
    np.testing.assert_array_equal(
        F.prelu(x, np.array([0.1])).data, F.leaky_relu(x, 0.1).data
    )


def test_a_constant_x_gives_the_gradient_of_the_slopes_alone():
    weight = Tensor(np.array([0.5, 0.5]), requires_grad=True)
    F.prelu(np.array([[-1.0, 2], [-3, -4]]), weight).sum().backward()
    np.testing.assert_array_equal(weight.grad, [-4, -4])


def test_errors_name_the_operation():
    with pytest.raises(ShapeError, match="prelu: expected weight of shape"):
        F.prelu(np.ones((2, 3)), np.ones(2))
    with pytest.raises(DtypeError, match="prelu"):
        F.prelu(np.ones((2, 3)), np.ones(3, np.float32))
