"""The table of activation functions y = g(x): what must be known beside the formulas.

A row here, a vector function in ``csrc/activation.c`` and a function in
``fastdl/reference/activation.py`` make a new one; `tests/test_activations.py` names
what it still lacks. ``setup.py`` reads this file too, so it imports nothing of fastdl.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Parameter(NamedTuple):
    """The number that tells the functions of a family apart."""

    name: str
    usual: float
    positive: bool = False
    """Whether it must be."""


class Activation(NamedTuple):
    """One row of the table."""

    derivative: str
    """What dx is computed from beside dy: "x" or "y", or "dy" for nothing else."""

    cost: int
    """Elementary operations for an element, about: when does a thread more pay?"""

    gain: float | Callable[..., float] = 1.0
    """How much larger weights before it should be; it may depend on the parameter."""

    fusable: tuple[str, ...] = ()
    """The operations that apply it themselves. linear and conv2d keep y alone."""

    parameter: Parameter | None = None

    def source(self, parameter: float | None = None) -> str:
        """Return `derivative`, or "x" where y need not have the sign of x."""
        return self.derivative if parameter is None or parameter > 0 else "x"


_SIMPLE, _EXPONENTIAL = 8, 32  # cost
_HALF = math.sqrt(2)  # gain, where half of the outputs are (nearly) zero
_PRODUCTS = ("linear", "conv2d")
_ALL = (*_PRODUCTS, "batch_norm")

ACTIVATIONS = {
    "identity": Activation("dy", _SIMPLE),
    "relu": Activation("y", _SIMPLE, _HALF, _ALL),
    "leaky_relu": Activation(
        "y",
        _SIMPLE,
        lambda slope: math.sqrt(2 / (1 + slope**2)),
        _PRODUCTS,
        Parameter("slope", 0.01),
    ),
    "sigmoid": Activation("y", _EXPONENTIAL, fusable=_PRODUCTS),
    "tanh": Activation("y", _EXPONENTIAL, fusable=_PRODUCTS),
    "silu": Activation("x", _EXPONENTIAL, _HALF, ("batch_norm",)),
    "relu6": Activation("y", _SIMPLE, _HALF, _ALL),
    "hard_swish": Activation("x", _SIMPLE, _HALF),
    "gelu": Activation("x", _EXPONENTIAL, _HALF),
    "elu": Activation(
        "y", _EXPONENTIAL, _HALF, _PRODUCTS, Parameter("alpha", 1.0, positive=True)
    ),
    "softplus": Activation(  # its mean square, unlike ReLU's, is nearly that of x
        "y",
        2 * _EXPONENTIAL,
        fusable=_PRODUCTS,
        parameter=Parameter("beta", 1.0, positive=True),
    ),
}
