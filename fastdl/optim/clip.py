"""Gradient clipping: against single steps that are far too large.

Call it between ``backward()`` and ``step()``. Clipping by norm keeps the direction of
the step, clipping by value does not. Source: Pascanu, Mikolov, Bengio 2013, "On the
difficulty of training recurrent neural networks".
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, NonFiniteError
from fastdl.optim.optimizer import is_positive


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[np.ndarray]:
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return [tensor.grad for tensor in tensors if tensor.grad is not None]


def _check(operation: str, name: str, value: float) -> None:
    if not is_positive(value):
        raise ArgumentError(f"{operation}: {name} must be a number > 0, got {value!r}")


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> float:
    r"""Scale all gradients down, in place, if their joint norm is too large.

    .. math::
        g \leftarrow g \cdot \min(1, c / \|g\|_2), \qquad
        \|g\|_2 = \sqrt{\sum_p \sum_i g_{p,i}^2}

    Parameters
    ----------
    parameters : iterable of Parameter
        ``model.parameters()``; those without a gradient are left out.
    max_norm : float
        The limit c, > 0.

    Returns
    -------
    float
        The norm before clipping; 0 without gradients.

    Raises
    ------
    ArgumentError
        max_norm is not a finite number > 0.
    NonFiniteError
        A gradient is NaN or infinite, which no factor can repair. Nothing is changed.
    """
    _check("clip_grad_norm_", "max_norm", max_norm)
    gradients = _gradients(parameters)
    # In float64: the square of a gradient of 1e20 is infinite in float32.
    squares = [np.square(grad, dtype=np.float64).sum() for grad in gradients]
    norm = math.sqrt(math.fsum(squares))
    if not math.isfinite(norm):
        raise NonFiniteError(
            "clip_grad_norm_: a gradient is NaN or infinite; lower the learning rate, "
            "or look for a logarithm or a root of 0 in the loss"
        )
    if norm > max_norm:
        for grad in gradients:
            grad *= max_norm / norm
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of the gradients, in place, to [-clip_value, clip_value].

    Parameters
    ----------
    parameters : iterable of Parameter
        ``model.parameters()``; those without a gradient are left out.
    clip_value : float
        > 0.

    Raises
    ------
    ArgumentError
        clip_value is not a finite number > 0.
    """
    _check("clip_grad_value_", "clip_value", clip_value)
    for grad in _gradients(parameters):
        np.clip(grad, -clip_value, clip_value, out=grad)
