r"""Regularisation of weights: L1 and L2 penalties, and the max-norm constraint.

A penalty is added to the cost, ``cost = loss + penalty(model)``:

.. math::
    L_2: \frac{s}{2} \sum_W \|W\|_F^2, \qquad L_1: s \sum_W \sum_i |W_i|

`fastdl.Trainer` takes penalties as ``regularization=``. Others write the same thing
differently:

- the Deep Learning Specialization adds :math:`\frac{\lambda}{2m} \sum \|W\|_F^2` for
  m training examples: ``L2(lambd / m)``;
- an optimiser's ``weight_decay`` adds ``weight_decay * W`` to the gradient, as
  ``L2(weight_decay)`` does, which also shows in the cost. With plain gradient descent
  each step multiplies W by :math:`1 - \alpha s = 1 - \alpha \lambda / m`;
- Keras's ``L2(l2)`` adds :math:`l_2 \sum \|W\|_F^2`: ``L2(2 * l2)``.

With Adam a penalty is divided by the same running mean as the gradient, so weights with
large gradients shrink less; ``optim.AdamW`` decouples the decay.

Sources: Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 7.1; Srivastava
et al. 2014, "Dropout", section 5.1 (max-norm).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fastdl import backend
from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, suggest
from fastdl.nn.layernorm import LayerNorm
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

Names = str | Sequence[str] | None


def named_weights(model: Module) -> Iterator[tuple[str, Parameter]]:
    """Yield (dotted name, parameter) of the weights that regularisation shrinks.

    These are the parameters with at least 2 axes, such as dense weights and filters.
    Biases and the gamma and beta of normalisation layers are left out: they are few,
    and shrinking them does not make a function simpler.
    """
    spared = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, LayerNorm)
        for _, parameter in module._own_parameters()
    }
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2 and id(parameter) not in spared:
            yield name, parameter


def _chosen(model: Module, names: Names, weights_only: bool, who: str) -> list[Tensor]:
    """Return the parameters to which a penalty or constraint applies."""
    own = dict(named_weights(model) if weights_only else model.named_parameters())
    if names is None:
        if not own:
            raise ArgumentError(f"{who}: the model has no weights")
        return list(own.values())
    patterns = [names] if isinstance(names, str) else names
    chosen: dict[str, Tensor] = {}
    for pattern in patterns:
        found = {
            name: parameter
            for name, parameter in own.items()
            if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
        }
        if not found:
            hint = "; weights_only=False includes biases" if weights_only else ""
            raise ArgumentError(
                f"{who}: no weight of the model is called {pattern!r}"
                f"{suggest(pattern, own)}{hint}"
            )
        chosen |= found
    return list(chosen.values())


def _check_number(value: float, what: str, zero: bool) -> None:
    if not (0 <= value < math.inf) or (value == 0 and not zero):
        limit = ">= 0" if zero else "> 0"
        raise ArgumentError(f"{what} must be a finite number {limit}, got {value!r}")


@dataclass(frozen=True)
class _Penalty:
    strength: float
    names: Names = None
    weights_only: bool = True

    def __post_init__(self) -> None:
        _check_number(self.strength, f"{type(self).__name__}: strength", zero=True)

    def _weights(self, model: Module) -> list[Tensor]:
        return _chosen(model, self.names, self.weights_only, type(self).__name__)


class L2(_Penalty):
    """The penalty ``strength / 2 * sum(weight**2)``, which keeps weights small.

    Parameters
    ----------
    strength : float
        >= 0. The course's lambda / m; optimisers call it weight_decay.
    names : str or sequence of str, optional
        Which weights: names or patterns of parameters or layers, as
        ``model.named_parameters()`` and error messages show them: "head", "0.weight",
        "blocks.*". By default all weights.
    weights_only : bool
        Whether biases and the parameters of normalisation layers are left out, see
        `named_weights`.

    Raises
    ------
    ArgumentError
        strength is negative or not finite; when called, a name matches no weight.
    """

    def __call__(self, model: Module) -> Tensor:
        """Return the penalty for a model: one number to add to its loss."""
        return F.l2_penalty(self._weights(model), self.strength)


class L1(_Penalty):
    """The penalty ``strength * sum(abs(weight))``, which makes weights sparse.

    Parameters
    ----------
    strength : float
        >= 0. The course's lambda / m (its L1 form has lambda / (2m): use half).
    names, weights_only
        As in `L2`. ``[L1(a), L2(b)]`` together are the elastic net.
    """

    def __call__(self, model: Module) -> Tensor:
        """Return the penalty for a model: one number to add to its loss."""
        return F.l1_penalty(self._weights(model), self.strength)


@dataclass(frozen=True)
class MaxNorm:
    """A constraint: the weights into each unit have at most a given norm.

    Called after each update, it scales down the weights of each unit (a column of a
    dense weight (in, out), or a filter (kh, kw, c)) whose norm exceeds the limit.
    `fastdl.Trainer` takes it as ``constraint=``.

    Parameters
    ----------
    limit : float
        > 0; the source recommends 3 to 4, together with dropout.
    names : str or sequence of str, optional
        Which weights, as in `L2`.

    Raises
    ------
    ArgumentError
        limit is not a finite number > 0; when called, a name matches no weight.
    """

    limit: float
    names: Names = None

    def __post_init__(self) -> None:
        _check_number(self.limit, "MaxNorm: limit", zero=False)

    def __call__(self, model: Module) -> None:
        """Scale down the weights of a model, in place."""
        for weight in _chosen(model, self.names, True, "MaxNorm"):
            backend.max_norm_step(weight.data, limit=self.limit)
            weight.mark_changed()
