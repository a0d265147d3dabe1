"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from fastdl import backend
from fastdl.optim.flat import Run
from fastdl.optim.optimizer import Optimizer, ParamsLike, is_in, is_positive


class Adam(Optimizer):
    """Momentum and RMSprop combined, both bias-corrected (Kingma, Ba 2015).

    ::

        m = beta1 * m + (1 - beta1) * grad
        v = beta2 * v + (1 - beta2) * grad**2
        mhat, vhat = m / (1 - beta1**step), v / (1 - beta2**step)
        param -= lr * mhat / (sqrt(vhat) + eps)

    AMSGrad uses the largest v so far in ``vhat``, so that steps do not grow because v
    forgot a large gradient (Reddi, Kale, Kumar 2018).

    Parameters
    ----------
    params : iterable of Parameter or of dict
        See `Optimizer`.
    lr : float
        Learning rate, > 0.
    betas : pair of float
        (beta1, beta2), each in [0, 1).
    eps : float
        Keeps the divisor above zero; > 0.
    weight_decay : float
        ``weight_decay * param`` is added to the gradient (L2 regularisation).
    amsgrad : bool
        Whether to use AMSGrad's form.

    Raises
    ------
    ArgumentError
        An option is out of range.
    """

    _decoupled = False

    def __init__(
        self,
        params: ParamsLike,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        betas = group["betas"]
        pair = isinstance(betas, (tuple, list)) and len(betas) == 2
        self._require(
            pair and all(is_in(beta, 1) for beta in betas),
            group,
            "betas",
            "two numbers in [0, 1)",
        )
        self._require(is_positive(group["eps"]), group, "eps", "a positive number")

    def _kept(self, group: dict[str, Any]) -> list[str]:
        return ["m", "v", *(["largest"] if group["amsgrad"] else [])]

    def _update(self, group: dict[str, Any], run: Run) -> None:
        beta1, beta2 = group["betas"]
        backend.adam_step(
            run.param,
            run.grad,
            run.state("m"),
            run.state("v"),
            run.state("largest") if group["amsgrad"] else None,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self._decoupled,
            step=run.step,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov, Hutter 2019).

    Each step first multiplies the parameters by ``1 - lr * weight_decay``; the decay
    does not enter the moments.

    Parameters
    ----------
    params, lr, betas, eps
        As in `Adam`.
    weight_decay : float
        Strength of the decay, >= 0.
    amsgrad : bool
        Whether to use AMSGrad's form, see `Adam`.
    """

    _decoupled = True

    def __init__(
        self,
        params: ParamsLike,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
