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
elu             x where x > 0, else                1 where x > 0, else y + alpha
                alpha (exp(x) - 1)
softplus        log(1 + exp(beta x)) / beta        1 - exp(-beta y)
==============  =================================  ====================================

Phi and phi are the distribution function and the density of the standard normal:
Phi(x) = erfc(-x / sqrt 2) / 2, phi(x) = exp(-x^2 / 2) / sqrt(2 pi).

Sources: Goodfellow et al., "Deep Learning" (2016), section 6.3; Ramachandran et al.
2017 (SiLU, also called swish); Howard et al. 2019 (hard-swish); Hendrycks and Gimpel
2016 (GELU); Clevert et al. 2016 (ELU); Dugas et al. 2000 (softplus).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastdl import shapes

# NumPy has no erf. math.erfc, called per element, is exact to float64; it is slow.
_erfc = np.frompyfunc(math.erfc, 1, 1)
_FAR = 40  # beyond it Phi(-x) and phi(x) are 0, and with them x Phi(-x) and x phi(x)


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


def _gelu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, -_FAR) * _normal_distribution(x)


def _hard_swish_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    inside = np.where(x < 3, x / 3 + 0.5, 1)
    return np.where(x > -3, dy * inside, 0)


def _silu_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    return dy * _sigmoid(x) * (1 + x * _sigmoid(-x))  # 1 - s(x), without cancellation


def _gelu_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    z = np.clip(x, -_FAR, _FAR)
    return dy * (_normal_distribution(z) + z * _normal_density(z))


def _softplus(x: np.ndarray, beta: np.floating) -> np.ndarray:
    z = beta * x
    return (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) / beta


# For each kind y = g(x) and dx = dy g'(x), in x or y as shapes.ACTIVATIONS says; where
# there is a parameter, it comes last.
_FUNCTIONS: dict[str, tuple[Callable, Callable]] = {
    "identity": (np.copy, lambda dy, _: dy.copy()),
    "relu": (
        lambda x: np.maximum(x, 0),
        lambda dy, y: np.where(y > 0, dy, 0),
    ),
    "leaky_relu": (
        lambda x, slope: np.where(x > 0, x, slope * x),
        lambda dy, y, slope: np.where(y > 0, dy, slope * dy),  # or x, of one sign
    ),
    "sigmoid": (_sigmoid, lambda dy, y: dy * y * (1 - y)),
    "tanh": (np.tanh, lambda dy, y: dy * (1 - y * y)),
    "silu": (lambda x: x * _sigmoid(x), _silu_backward),
    "relu6": (_relu6, lambda dy, y: np.where((y > 0) & (y < 6), dy, 0)),
    "hard_swish": (lambda x: x * (_relu6(x + 3) / 6), _hard_swish_backward),
    "gelu": (_gelu, _gelu_backward),
    "elu": (
        lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        lambda dy, y, alpha: np.where(y > 0, dy, dy * (y + alpha)),
    ),
    "softplus": (_softplus, lambda dy, y, beta: -dy * np.expm1(-beta * y)),
}


def _parameters(
    kind: str, parameter: float | None, operation: str, dtype: np.dtype
) -> tuple:
    """Return the arguments of a function of `_FUNCTIONS` behind its arrays."""
    shapes.activation_index(kind, operation)
    parameter = shapes.activation_parameter(kind, parameter, operation)
    return () if parameter is None else (dtype.type(parameter),)


def activation_forward(
    x: np.ndarray, kind: str, *, parameter: float | None = None
) -> np.ndarray:
    """Return y = g(x).

    Parameters
    ----------
    x
        Any shape, any float type.
    kind
        One of ``shapes.ACTIVATIONS``.
    parameter
        Of the kinds that have one; by default the usual one.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `x`.

    Raises
    ------
    ArgumentError
        For an unknown kind; for a parameter out of range, or of a kind without one.
    """
    parameters = _parameters(kind, parameter, "activation", x.dtype)
    forward, _ = _FUNCTIONS[kind]
    return np.asarray(forward(x, *parameters), x.dtype)  # NumPy 1 widens scalars


def activation_backward(
    dy: np.ndarray,
    x: np.ndarray | None,
    y: np.ndarray | None,
    kind: str,
    *,
    parameter: float | None = None,
) -> np.ndarray:
    """Return dx = dy g'(x).

    Parameters
    ----------
    dy
        The gradient with respect to y.
    x, y
        The input and the output. One may be None: ``shapes.ACTIVATIONS[kind].source``
        says which is read.
    kind
        One of ``shapes.ACTIVATIONS``.
    parameter
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `dy`.

    Raises
    ------
    ArgumentError
        As in the forward pass.
    """
    parameters = _parameters(kind, parameter, "activation_backward", dy.dtype)
    _, backward = _FUNCTIONS[kind]
    source = {"x": x, "y": y, "dy": dy}[shapes.ACTIVATIONS[kind].source(*parameters)]
    return np.asarray(backward(dy, source, *parameters), dy.dtype)


def bias_activation(
    y: np.ndarray, bias: np.ndarray | None, activation: str | None, operation: str
) -> np.ndarray:
    """Finish a product in place: add the bias of each channel, then activate."""
    if bias is not None:
        y += bias
    if activation is not None:
        shapes.activation_index(activation, operation)
        y[...] = activation_forward(y, activation)
    return y


def put(y: np.ndarray, out: np.ndarray | None, operation: str) -> np.ndarray:
    """Return `y`, in `out` if that is given: last, as an operand may lie in it."""
    if out is None:
        return y
    shapes.check_output(operation, out, y.shape, y.dtype)
    out[...] = y
    return out
