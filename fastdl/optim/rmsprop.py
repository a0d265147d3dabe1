"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import backend
from fastdl.optim.flat import Run
from fastdl.optim.optimizer import Optimizer, is_in, is_positive


class RMSprop(Optimizer):
    """Divide the gradient by the root of its running mean square (Hinton 2012).

    ::

        square = beta * square + (1 - beta) * grad**2
        param -= lr * grad / (sqrt(square) + eps)

    Parameters
    ----------
    params : iterable of Parameter or of dict
        See `Optimizer`.
    lr : float
        Learning rate, > 0.
    beta : float
        Weight of the old mean, in [0, 1); PyTorch's ``alpha``, there 0.99.
    eps : float
        Keeps the divisor above zero; > 0.
    weight_decay : float
        ``weight_decay * param`` is added to the gradient (L2 regularisation).

    Raises
    ------
    ArgumentError
        An option is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        beta: float = 0.9,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, beta=beta, eps=eps, weight_decay=weight_decay)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        self._require(is_in(group["beta"], 1), group, "beta", "in [0, 1)")
        self._require(is_positive(group["eps"]), group, "eps", "a positive number")

    def _update(self, group: dict[str, Any], run: Run) -> None:
        backend.rmsprop_step(
            run.param,
            run.grad,
            run.state("square"),
            lr=group["lr"],
            beta=group["beta"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )
