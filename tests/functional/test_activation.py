"""Activations as operations, and as parts of other kernels."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, GraphError
from fastdl.shapes import ACTIVATIONS

# Far from the kinks, which finite differences cannot cross.
X = np.array([[-4.0, -2.5, -0.7, -0.1], [0.1, 0.7, 2.5, 7.0]])


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_gradient(kind, check_gradients):
    """S03."""
    check_gradients(lambda x: F.activation(x, kind), X)


@pytest.mark.parametrize("slope", [0.2, 0.0, -0.5])
def test_slope_of_leaky_relu(slope, check_gradients):
    y = F.leaky_relu(X, slope)
    np.testing.assert_allclose(y.data, np.where(X > 0, X, slope * X))
    check_gradients(lambda x: F.leaky_relu(x, slope), X)


@pytest.mark.parametrize("function", [F.elu, F.softplus])
@pytest.mark.parametrize("parameter", [0.2, 3.0])
def test_parameters(function, parameter, check_gradients):
    check_gradients(lambda x: function(x, parameter), X)
    with pytest.raises(ArgumentError, match="must be a finite positive number"):
        function(X, -parameter)


@pytest.mark.parametrize("kind", ["identity", None])
def test_no_activation_is_no_operation(kind):
    x = Tensor(X, requires_grad=True)
    assert F.activation(x, kind) is x


@pytest.mark.parametrize(
    "kind", [kind for kind, row in ACTIVATIONS.items() if row.derivative == "y"]
)
def test_only_the_output_is_kept_where_it_is_enough(kind):
    x = Tensor(X, requires_grad=True)
    y = F.activation(x, kind)
    assert not any(value is x.data for value in y._node.saved)


@pytest.mark.parametrize(
    "call",
    [
        F.relu,
        lambda x: F.linear(x, np.ones((4, 2)), activation="relu"),
        lambda x: F.conv2d(
            x.reshape(1, 2, 4, 1), np.ones((1, 1, 1, 1)), activation="relu"
        ),
    ],
    ids=["activation", "linear", "conv2d"],
)
def test_a_changed_output_is_noticed(call):
    y = call(Tensor(X, requires_grad=True))
    y.mark_changed()
    with pytest.raises(GraphError, match="changed in place"):
        y.sum().backward()


@pytest.mark.parametrize(
    "call",
    [
        lambda kind: F.activation(X, kind),
        lambda kind: F.linear(X, np.ones((4, 2)), activation=kind),
        lambda kind: F.conv2d(
            np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1)), activation=kind
        ),
    ],
    ids=["activation", "linear", "conv2d"],
)
def test_misspelt_kind(call):
    with pytest.raises(ArgumentError, match="did you mean 'relu'"):
        call("rellu")
