"""Activation layers: one function on every element."""

from __future__ import annotations

from typing import ClassVar

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.shapes import activation_parameter
from fastdl.typing import TensorLike


class Activation(Module):
    """Base of the activations; `kind` names the function."""

    kind: ClassVar[str]
    _is_activation = True

    @property
    def parameter(self) -> float | None:
        """The parameter of the function, None where it has none."""
        return None

    def _checked(self, parameter: float) -> float:
        checked = activation_parameter(self.kind, parameter, type(self).__name__)
        assert checked is not None  # its kind has one
        return checked

    def forward(self, x: TensorLike) -> Tensor:
        """Map x of any shape to an output of the same shape."""
        return F.activation(x, self.kind, self.parameter)


@register
class ReLU(Activation):
    """``max(x, 0)``."""

    kind = "relu"


@register
class LeakyReLU(Activation):
    """``x`` where x > 0, else ``negative_slope * x`` (Maas et al. 2013).

    Parameters
    ----------
    negative_slope : float
        The derivative left of zero.
    """

    kind = "leaky_relu"

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = self._checked(negative_slope)

    @property
    def parameter(self) -> float:
        """The slope."""
        return self.negative_slope


@register
class Sigmoid(Activation):
    """``1 / (1 + exp(-x))``."""

    kind = "sigmoid"


@register
class Tanh(Activation):
    """Hyperbolic tangent."""

    kind = "tanh"


@register
class SiLU(Activation):
    """``x * sigmoid(x)``, also called swish (Ramachandran et al. 2017)."""

    kind = "silu"


@register
class ReLU6(Activation):
    """``min(max(x, 0), 6)`` (Howard et al. 2017, MobileNet)."""

    kind = "relu6"


@register
class HardSwish(Activation):
    """``x * min(max(x + 3, 0), 6) / 6`` (Howard et al. 2019, MobileNet v3)."""

    kind = "hard_swish"


@register
class GELU(Activation):
    """``x * Phi(x)`` with the exact normal distribution (Hendrycks, Gimpel 2016)."""

    kind = "gelu"


@register
class ELU(Activation):
    """``x`` where x > 0, else ``alpha * (exp(x) - 1)`` (Clevert et al. 2016).

    Parameters
    ----------
    alpha : float
        Positive; the output is above -alpha.
    """

    kind = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = self._checked(alpha)

    @property
    def parameter(self) -> float:
        """`alpha`."""
        return self.alpha


@register
class Softplus(Activation):
    """``log(1 + exp(beta * x)) / beta``, a smooth ReLU (Dugas et al. 2000).

    Parameters
    ----------
    beta : float
        Positive; the larger, the nearer to ReLU.
    """

    kind = "softplus"

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = self._checked(beta)

    @property
    def parameter(self) -> float:
        """`beta`."""
        return self.beta


LAYERS: dict[str, type[Activation]] = {
    layer.kind: layer for layer in Activation.__subclasses__()
}
"""The layer of each kind; by this line only those above."""


@register
class Softmax(Module):
    """Probabilities over the last axis.

    `CrossEntropyLoss` takes logits: a model that is trained ends without it.
    """

    def forward(self, x: TensorLike) -> Tensor:
        """Map logits (n, classes) to rows of probabilities that sum to 1."""
        return F.softmax(x)


@register
class LogSoftmax(Module):
    """Logarithms of probabilities over the last axis, for `NLLLoss`.

    `CrossEntropyLoss` is both in one.
    """

    def forward(self, x: TensorLike) -> Tensor:
        """Map logits (..., classes) to logarithms of probabilities."""
        return F.log_softmax(x)
