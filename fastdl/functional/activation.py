"""Activation functions, as operations of their own or fused into a product.

Where the derivative can be computed from y alone (``FUSED``), the kernels of `linear`
and `conv2d` apply the activation while the result is still in registers, and x is never
stored. The others run as an operation of their own and keep x.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.shapes import activation_index

FUSED = frozenset({"relu", "leaky_relu", "sigmoid", "tanh", "relu6"})


def split(
    kind: str | None, operation: str, fused: Collection[str] = FUSED
) -> tuple[str | None, str | None]:
    """Return the activation to fuse into a kernel and the one to run after it."""
    if kind is None or kind in fused:
        return kind, None
    activation_index(kind, operation)
    return None, kind


def _activation_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (kind, slope) = node.saved, node.arguments
    return (backend.activation_backward(dy, x, node.result, kind, slope=slope),)


def activation(x: Any, kind: str | None, slope: float = 0.01) -> Tensor:
    """Apply an activation function given by name.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    kind : str or None
        One of ``fastdl.shapes.ACTIVATIONS``; None and "identity" return `x` itself.
    slope : float
        Of "leaky_relu", left of 0.

    Raises
    ------
    ArgumentError
        For an unknown kind.
    """
    x = as_tensor(x)
    if kind is None or kind == "identity":
        return x
    y = backend.activation_forward(x.data, kind, slope=slope)
    from_y = kind in FUSED and slope > 0
    saved = (None if from_y else x.data, x._changed)
    arguments = (kind, slope)
    return record(y, _activation_backward, (x._node,), saved, arguments, from_y)


def relu(x: Any) -> Tensor:
    """Return max(x, 0) (Nair and Hinton 2010)."""
    return activation(x, "relu")


def leaky_relu(x: Any, slope: float = 0.01) -> Tensor:
    """Return x where x > 0, else slope * x (Maas et al. 2013)."""
    return activation(x, "leaky_relu", slope)


def sigmoid(x: Any) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return activation(x, "sigmoid")


def tanh(x: Any) -> Tensor:
    """Return the hyperbolic tangent."""
    return activation(x, "tanh")


def silu(x: Any) -> Tensor:
    """Return x * sigmoid(x), also called swish (Ramachandran et al. 2017)."""
    return activation(x, "silu")


def relu6(x: Any) -> Tensor:
    """Return min(max(x, 0), 6) (Howard et al. 2017)."""
    return activation(x, "relu6")


def hard_swish(x: Any) -> Tensor:
    """Return x * relu6(x + 3) / 6 (Howard et al. 2019)."""
    return activation(x, "hard_swish")


def gelu(x: Any) -> Tensor:
    """Return x * Phi(x), Phi being the standard normal's distribution function.

    Exact, by erf (Hendrycks and Gimpel 2016).
    """
    return activation(x, "gelu")
