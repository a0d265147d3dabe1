"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from fastdl import backend
from fastdl.optim.flat import Run
from fastdl.optim.optimizer import Optimizer, ParamsLike, is_in


class SGD(Optimizer):
    """Gradient descent, with or without momentum.

    Plain: ``param -= lr * grad``. With momentum::

        v = momentum * v + (1 - dampening) * grad        # v starts at 0
        param -= lr * v

    ``dampening=0`` is PyTorch's form; ``dampening=momentum`` is the exponentially
    weighted average of the Deep Learning Specialization. Nesterov's form steps along
    ``grad + momentum * v`` (Sutskever et al. 2013).

    Parameters
    ----------
    params : iterable of Parameter or of dict
        See `Optimizer`.
    lr : float
        Learning rate, > 0.
    momentum : float
        In [0, 1).
    dampening : float
        In [0, 1).
    weight_decay : float
        ``weight_decay * param`` is added to the gradient (L2 regularisation).
    nesterov : bool
        Whether to use Nesterov's form; needs momentum and no dampening.

    Raises
    ------
    ArgumentError
        An option is out of range.
    """

    def __init__(
        self,
        params: ParamsLike,
        lr: float = 0.01,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        for key in ("momentum", "dampening"):
            self._require(is_in(group[key], 1), group, key, "in [0, 1)")
        plain = group["momentum"] > 0 and group["dampening"] == 0
        self._require(
            plain or not group["nesterov"],
            group,
            "nesterov",
            "False without momentum or with dampening",
        )

    def _kept(self, group: dict[str, Any]) -> list[str]:
        return ["velocity"] if group["momentum"] else []

    def _update(self, group: dict[str, Any], run: Run) -> None:
        backend.sgd_step(
            run.param,
            run.grad,
            run.state("velocity") if group["momentum"] else None,
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            weight_decay=group["weight_decay"],
        )
