"""Activation functions, as operations of their own or fused into another.

An operation that is ``fusable`` with an activation (`shapes.ACTIVATIONS`) applies it
while the result is still in the cache, and x is never stored. The others run as an
operation of their own.
"""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.shapes import ACTIVATIONS, activation_row
from fastdl.typing import TensorLike


def split(kind: str | None, operation: str) -> tuple[str | None, str | None]:
    """Return the activation to fuse into an operation and the one to run after it."""
    if kind is None or operation in activation_row(kind, operation).fusable:
        return kind, None
    return None, kind


def _activation_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (kind, parameter) = node.saved, node.arguments
    return (backend.activation_backward(dy, x, node.result, kind, parameter=parameter),)


def activation(
    x: TensorLike, kind: str | None, parameter: float | None = None
) -> Tensor:
    """Apply an activation function given by name.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    kind : str or None
        One of ``fastdl.shapes.ACTIVATIONS``; None and "identity" return `x` itself.
    parameter : float, optional
        Of the kinds that have one, such as the slope of "leaky_relu"; by default the
        usual one.

    Raises
    ------
    ArgumentError
        For an unknown kind; for a parameter out of range, or of a kind without one.
    """
    x = as_tensor(x)
    if kind is None or kind == "identity":
        return x
    y = backend.activation_forward(x.data, kind, parameter=parameter)
    from_y = ACTIVATIONS[kind].source(parameter) == "y"
    saved = (None if from_y else x.data, x._changed)
    return record(y, _activation_backward, (x._node,), saved, (kind, parameter), from_y)


def relu(x: TensorLike) -> Tensor:
    """Return max(x, 0) (Nair and Hinton 2010)."""
    return activation(x, "relu")


def leaky_relu(x: TensorLike, slope: float = 0.01) -> Tensor:
    """Return x where x > 0, else slope * x (Maas et al. 2013)."""
    return activation(x, "leaky_relu", slope)


def sigmoid(x: TensorLike) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return activation(x, "sigmoid")


def tanh(x: TensorLike) -> Tensor:
    """Return the hyperbolic tangent."""
    return activation(x, "tanh")


def silu(x: TensorLike) -> Tensor:
    """Return x * sigmoid(x), also called swish (Ramachandran et al. 2017)."""
    return activation(x, "silu")


def relu6(x: TensorLike) -> Tensor:
    """Return min(max(x, 0), 6) (Howard et al. 2017)."""
    return activation(x, "relu6")


def hard_swish(x: TensorLike) -> Tensor:
    """Return x * relu6(x + 3) / 6 (Howard et al. 2019)."""
    return activation(x, "hard_swish")


def gelu(x: TensorLike) -> Tensor:
    """Return x * Phi(x), Phi being the standard normal's distribution function.

    Exact, by erf (Hendrycks and Gimpel 2016).
    """
    return activation(x, "gelu")


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """Return x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2016).

    `alpha` is positive.
    """
    return activation(x, "elu", alpha)


def softplus(x: TensorLike, beta: float = 1.0) -> Tensor:
    """Return log(1 + exp(beta * x)) / beta, a smooth ReLU (Dugas et al. 2000).

    `beta` is positive.
    """
    return activation(x, "softplus", beta)
