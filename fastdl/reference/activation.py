r"""Activation functions y = g(x), element by element, and their derivatives.

==============  =================================  ====================================
kind            g(x)                               g'(x)
==============  =================================  ====================================
identity        x                                  1
relu            max(x, 0)                          1 where x > 0, else 0
leaky_relu      x where x > 0, else slope x        1 where x > 0, else slope
sigmoid         s(x) = 1 / (1 + exp(-x))           y (1 - y)
tanh            tanh(x)                            1 - y^2
silu            x s(x)                             s (1 + x (1 - s))
relu6           min(max(x, 0), 6)                  1 where 0 < x < 6, else 0
hard_swish      x relu6(x + 3) / 6                 0, x / 3 + 1/2 or 1, left of -3,
                                                   between, right of 3
gelu            x Phi(x)                           Phi(x) + x phi(x)
==============  =================================  ====================================

Phi and phi are the distribution function and the density of the standard normal:
Phi(x) = erfc(-x / sqrt 2) / 2, phi(x) = exp(-x^2 / 2) / sqrt(2 pi).

Sources: Goodfellow et al., "Deep Learning" (2016), section 6.3; Ramachandran et al.
2017 (SiLU, also called swish); Howard et al. 2019 (hard-swish); Hendrycks and Gimpel
2016 (GELU).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastdl import shapes

# NumPy has no erf. math.erfc, called per element, is exact to float64; it is slow.
_erfc = np.frompyfunc(math.erfc, 1, 1)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    decay = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1, decay) / (1 + decay)


def _relu6(x: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(x, 0), 6)


def _normal_distribution(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.asarray(_erfc(x * -math.sqrt(0.5)), x.dtype)


def _normal_density(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # exp(-inf) is the right 0
        return np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))


_FORWARD: dict[str, Callable] = {
    "identity": lambda x, slope: x.copy(),
    "relu": lambda x, slope: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, x.dtype.type(slope) * x),
    "sigmoid": lambda x, slope: _sigmoid(x),
    "tanh": lambda x, slope: np.tanh(x),
    "silu": lambda x, slope: x * _sigmoid(x),
    "relu6": lambda x, slope: _relu6(x),
    "hard_swish": lambda x, slope: x * (_relu6(x + 3) / 6),
    "gelu": lambda x, slope: x * _normal_distribution(x),
}


def _leaky_relu_backward(dy, x, y, slope):
    positive = (y if x is None else x) > 0  # one sign, when the slope is positive
    return np.where(positive, dy, dy.dtype.type(slope) * dy)


def _silu_backward(dy, x, y, slope):
    s = _sigmoid(x)
    return dy * s * (1 + x * (1 - s))


def _hard_swish_backward(dy, x, y, slope):
    inside = np.where(x < 3, x / 3 + 0.5, 1)
    return np.where(x > -3, dy * inside, 0)


def _gelu_backward(dy, x, y, slope):
    return dy * (_normal_distribution(x) + x * _normal_density(x))


_BACKWARD: dict[str, Callable] = {
    "identity": lambda dy, x, y, slope: dy.copy(),
    "relu": lambda dy, x, y, slope: np.where(y > 0, dy, 0),
    "leaky_relu": _leaky_relu_backward,
    "sigmoid": lambda dy, x, y, slope: dy * y * (1 - y),
    "tanh": lambda dy, x, y, slope: dy * (1 - y * y),
    "silu": _silu_backward,
    "relu6": lambda dy, x, y, slope: np.where((y > 0) & (y < 6), dy, 0),
    "hard_swish": _hard_swish_backward,
    "gelu": _gelu_backward,
}


def activation_forward(x: np.ndarray, kind: str, *, slope: float = 0.01) -> np.ndarray:
    """Return y = g(x).

    Parameters
    ----------
    x
        Any shape, any float type.
    kind
        One of ``shapes.ACTIVATIONS``.
    slope
        Of leaky_relu, left of 0.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `x`.

    Raises
    ------
    ArgumentError
        For an unknown kind.
    """
    shapes.activation_index(kind)
    return np.asarray(_FORWARD[kind](x, slope), x.dtype)  # NumPy 1 widens scalars


def activation_backward(
    dy: np.ndarray,
    x: np.ndarray | None,
    y: np.ndarray | None,
    kind: str,
    *,
    slope: float = 0.01,
) -> np.ndarray:
    """Return dx = dy g'(x).

    Parameters
    ----------
    dy
        The gradient with respect to y.
    x
        The input. May be None for relu, leaky_relu (with slope > 0), sigmoid, tanh,
        relu6 and identity.
    y
        The output. May be None for silu, hard_swish, gelu and identity.
    kind
        One of ``shapes.ACTIVATIONS``.
    slope
        Of leaky_relu, left of 0.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `dy`.

    Raises
    ------
    ArgumentError
        For an unknown kind.
    """
    shapes.activation_index(kind)
    return np.asarray(_BACKWARD[kind](dy, x, y, slope), dy.dtype)


def bias_activation(
    y: np.ndarray, bias: np.ndarray | None, activation: str | None
) -> np.ndarray:
    """Finish a product in place: add the bias of each channel, then activate."""
    if bias is not None:
        y += bias
    if activation is not None:
        y[...] = activation_forward(y, activation)
    return y


def put(y: np.ndarray, out: np.ndarray | None, operation: str) -> np.ndarray:
    """Return `y`, in `out` if that is given: last, as an operand may lie in it."""
    if out is None:
        return y
    shapes.check_shape(operation, "out", out.shape, y.shape)
    out[...] = y
    return out
