"""Optimisers by name, by what makes them, or as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from fastdl import optim
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, suggest
from fastdl.optim import Optimizer

Maker: TypeAlias = Callable[[Iterable[Tensor]], Optimizer]
OptimizerLike: TypeAlias = str | Optimizer | Maker
"""An optimiser of the model's parameters, what makes one from them, or its name."""

OPTIMIZERS: dict[str, tuple[Callable[..., Optimizer], float]] = {
    "sgd": (optim.SGD, 0.1),
    "momentum": (partial(optim.SGD, momentum=0.9), 0.02),
    "nesterov": (partial(optim.SGD, momentum=0.9, nesterov=True), 0.02),
    "adagrad": (optim.Adagrad, 0.01),
    "rmsprop": (optim.RMSprop, 0.001),
    "adam": (optim.Adam, 0.001),
    "adamw": (optim.AdamW, 0.001),
}
"""By name: the optimiser, and a learning rate to start from."""


def optimizer_or_maker(
    given: OptimizerLike | None, lr: float | None
) -> Optimizer | Maker:
    """Return the optimiser of a trainer, or what makes it.

    Parameters
    ----------
    given : str, Optimizer or callable, optional
        By default Adam.
    lr : float, optional
        The learning rate of one that is made here; by default what is usual for it.

    Raises
    ------
    ArgumentError
        The name is unknown, it is no optimiser, or one that has a rate already.
    """
    if isinstance(given, Optimizer):
        if lr is not None:
            raise ArgumentError(
                "Trainer: lr is for an optimiser that is made here, by its name or "
                "class; give the rate where this one is made"
            )
        return given
    options = {} if lr is None else {"lr": lr}
    make: Callable[..., Optimizer] | str = optim.Adam if given is None else given
    if isinstance(make, str):
        if make not in OPTIMIZERS:
            hint = suggest(make, OPTIMIZERS, "optim")
            raise ArgumentError(f"Trainer: unknown optimizer {make!r}{hint}")
        make, usual = OPTIMIZERS[make]
        options = {"lr": usual} | options
    if not callable(make):
        raise ArgumentError(
            f"Trainer: optimizer must be an optimiser or make one from parameters, "
            f"such as 'adam' or optim.Adam, got {given!r:.60}"
        )
    return partial(make, **options) if options else make
