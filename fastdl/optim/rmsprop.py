"""RMSprop and Adagrad."""

from __future__ import annotations

from typing import Any

from fastdl import backend
from fastdl.optim.flat import Run
from fastdl.optim.optimizer import Optimizer, ParamsLike, is_in, is_positive


class RMSprop(Optimizer):
    """Divide the gradient by the root of its running mean square (Hinton 2012).

    ::

        square = beta * square + (1 - beta) * grad**2
        param -= lr * grad / (sqrt(square) + eps)

    If centred (Graves 2013, "Generating sequences with recurrent neural networks"), the
    variance ``square - mean**2`` replaces ``square``. With momentum::

        v = momentum * v + grad / (sqrt(square) + eps)
        param -= lr * v

    Parameters
    ----------
    params : iterable of Parameter or of dict
        See `Optimizer`.
    lr : float
        Learning rate, > 0.
    beta : float
        Weight of the old mean, in [0, 1); PyTorch's ``alpha``, by default 0.99.
    eps : float
        Keeps the divisor above zero; > 0.
    weight_decay : float
        ``weight_decay * param`` is added to the gradient (L2 regularisation).
    momentum : float
        In [0, 1).
    centered : bool
        Whether to subtract the squared mean of the gradients.

    Raises
    ------
    ArgumentError
        An option is out of range.
    """

    def __init__(
        self,
        params: ParamsLike,
        lr: float = 0.01,
        beta: float = 0.9,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            beta=beta,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        for key in ("beta", "momentum"):
            self._require(is_in(group[key], 1), group, key, "in [0, 1)")
        self._require(is_positive(group["eps"]), group, "eps", "a positive number")

    def _kept(self, group: dict[str, Any]) -> list[str]:
        mean = ["mean"] if group["centered"] else []
        velocity = ["velocity"] if group["momentum"] else []
        return ["square", *mean, *velocity]

    def _update(self, group: dict[str, Any], run: Run) -> None:
        backend.rmsprop_step(
            run.param,
            run.grad,
            run.state("square"),
            run.state("mean") if group["centered"] else None,
            run.state("velocity") if group["momentum"] else None,
            lr=group["lr"],
            beta=group["beta"],
            eps=group["eps"],
            momentum=group["momentum"],
            weight_decay=group["weight_decay"],
        )


class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of its squares (Duchi et al. 2011).

    ::

        square = square + grad**2
        param -= lr * grad / (sqrt(square) + eps)

    Parameters
    ----------
    params : iterable of Parameter or of dict
        See `Optimizer`.
    lr : float
        Learning rate, > 0.
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
        params: ParamsLike,
        lr: float = 0.01,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, eps=eps, weight_decay=weight_decay)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        self._require(is_positive(group["eps"]), group, "eps", "a positive number")

    def _kept(self, group: dict[str, Any]) -> list[str]:
        return ["square"]

    def _update(self, group: dict[str, Any], run: Run) -> None:
        backend.adagrad_step(
            run.param,
            run.grad,
            run.state("square"),
            lr=group["lr"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )
