"""PyTorch's names for the schedules of this package, in a loop of your own.

::

    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)
    for epoch in range(epochs):
        ...  # all steps of the epoch
        scheduler.step()

Each is a `Scheduler` of one of the schedules in `fastdl.optim`, which a
`fastdl.Trainer` takes as ``Schedule(optim.Staircase(0.1, every=30), "epoch")``. The
rates are PyTorch's, with the exceptions that are told; what differs for all of them:

- The first parameter group gets the rate; the others keep their ratio to it.
- No rate falls to 0, where nothing would be learned.
- To go on with an interrupted run, call ``load_state_dict``; there is no ``last_epoch``
  to start from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from fastdl import exports
from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import Optimizer, is_in, is_positive
from fastdl.optim.schedule import (
    TINY,
    Cosine,
    OneCycle,
    Piecewise,
    Scheduler,
    Staircase,
)
from fastdl.shapes import integer


def _rate(optimizer: Optimizer) -> float:
    return optimizer.param_groups[0]["lr"]


def _rates(optimizer: Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


class LRScheduler(Scheduler):
    """Base of the schedulers by PyTorch's names."""

    def __init__(self, optimizer: Optimizer, schedule: Callable[[int], float]) -> None:
        super().__init__(optimizer, schedule)
        self.optimizer = optimizer

    @property
    def last_epoch(self) -> int:
        """How often `step` was called."""
        return self.t - 1

    def get_last_lr(self) -> list[float]:
        """Return the rates that are set, of each parameter group."""
        return _rates(self.optimizer)


class StepLR(LRScheduler):
    """Multiply the rate by gamma every so many steps: `Staircase`.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are those to start with.
    step_size : int
        How many calls of `step` each rate lasts, from 1.
    gamma : float
        In (0, 1].
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        super().__init__(optimizer, Staircase(_rate(optimizer), step_size, gamma))


class MultiStepLR(LRScheduler):
    """Multiply the rate by gamma at each milestone: `Piecewise`.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are those to start with.
    milestones : sequence of int
        After how many calls of `step`; rising, from 1.
    gamma : float
        > 0.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1
    ) -> None:
        ends = list(milestones)
        if not is_positive(gamma):
            raise ArgumentError(f"MultiStepLR: gamma must be > 0, got {gamma!r}")
        first = _rate(optimizer)
        rates = [first * gamma**i for i in range(len(ends) + 1)]
        super().__init__(optimizer, Piecewise(rates, ends))


class ExponentialLR(StepLR):
    """Multiply the rate by gamma at each step.

    `ExponentialDecay`, as the course counts, begins with the first power of its base.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are those to start with.
    gamma : float
        In (0, 1].
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer, 1, gamma)


class CosineAnnealingLR(LRScheduler):
    """Let the rate fall along half a cosine: `Cosine`.

    PyTorch's rises again after `T_max` steps; this one stays where it is.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are the highest.
    T_max : int
        How many steps it falls.
    eta_min : float
        The last rate, of the first parameter group.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer, Cosine(_rate(optimizer), T_max, final=eta_min))


class LambdaLR(LRScheduler):
    """Multiply the first rate by a function of the step.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are what is multiplied.
    lr_lambda : callable
        ``lr_lambda(step) -> factor``, from 0; one for all parameter groups.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        if not callable(lr_lambda):
            raise ArgumentError(
                f"LambdaLR: lr_lambda must be one function of the step for all groups, "
                f"got {lr_lambda!r:.60}"
            )
        first = _rate(optimizer)

        def scaled(t: int) -> float:
            rate = first * lr_lambda(t - 1)
            return TINY if rate == 0 else rate  # as a warm-up from 0 begins

        super().__init__(optimizer, scaled)


class OneCycleLR(LRScheduler):
    """Let the rate rise and fall along half cosines: `OneCycle`.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are replaced.
    max_lr : float
        The highest rate.
    total_steps : int, optional
        How many steps there will be; or else `epochs` times `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
        See `total_steps`.
    pct_start : float
        The fraction of the steps in which the rate rises, in (0, 1).
    cycle_momentum : bool
        PyTorch's default moves the momentum as well. Here it stays, so the argument
        must be False if the optimiser has a momentum.
    div_factor : float
        The first rate is ``max_lr / div_factor``.
    final_div_factor : float
        The last is the first divided by this.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        *,
        cycle_momentum: bool = True,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        group = optimizer.param_groups[0]
        if cycle_momentum and (group.get("momentum") or "betas" in group):
            raise ArgumentError(
                "OneCycleLR: the momentum stays as it is here; say so with "
                "cycle_momentum=False"
            )
        if total_steps is None:
            without = "OneCycleLR: without total_steps,"
            total_steps = integer(epochs, f"{without} epochs")
            total_steps *= integer(steps_per_epoch, f"{without} steps_per_epoch")
        total = integer(total_steps, "OneCycleLR: total_steps", minimum=2)
        # PyTorch has the highest rate one step before the end of the fraction.
        rise = (pct_start * total - 1) / (total - 1)
        last = div_factor * final_div_factor
        schedule = OneCycle(max_lr, total, rise, start=div_factor, final=last)
        super().__init__(optimizer, schedule)


class ReduceLROnPlateau:
    """Lower the rates when a measure no longer improves.

    In a `fastdl.Trainer` it is `fastdl.train.ReduceOnPlateau`. ::

        scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        for epoch in range(epochs):
            ...
            scheduler.step(val_loss)

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are lowered, each by itself.
    mode : {"min", "max"}
        Whether a measure should fall or rise.
    factor : float
        What to multiply the rates by, in (0, 1).
    patience : int
        How many steps without a new best are borne, >= 0; the next one lowers.
    threshold : float
        >= 0: how much better a new best must be.
    threshold_mode : {"rel", "abs"}
        Whether `threshold` is a part of the best, or a difference.
    cooldown : int
        How many steps after a lower rate do not count, >= 0.
    min_lr : float
        No rate is lowered below it; >= 0.
    eps : float
        A change that is not above it is not made.

    Raises
    ------
    ArgumentError, ShapeError
        An argument is out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        for name, value, fits, what in (
            ("mode", mode, mode in ("min", "max"), "'min' or 'max'"),
            (
                "threshold_mode",
                threshold_mode,
                threshold_mode in ("rel", "abs"),
                "'rel' or 'abs'",
            ),
            ("factor", factor, is_positive(factor) and factor < 1, "in (0, 1)"),
            ("threshold", threshold, is_in(threshold, math.inf), "a number >= 0"),
            ("min_lr", min_lr, is_in(min_lr, math.inf), "a number >= 0"),
            ("eps", eps, is_in(eps, math.inf), "a number >= 0"),
        ):
            if not fits:
                raise ArgumentError(
                    f"ReduceLROnPlateau: {name} must be {what}, got {value!r:.60}"
                )
        self.optimizer = optimizer
        self._sign = 1 if mode == "min" else -1
        self._factor, self._min_lr, self._eps = factor, min_lr, eps
        self._patience = integer(patience, "ReduceLROnPlateau: patience", minimum=0)
        self._cooldown = integer(cooldown, "ReduceLROnPlateau: cooldown", minimum=0)
        self._threshold, self._relative = threshold, threshold_mode == "rel"
        self.best = self._sign * math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: float) -> None:
        """Take in the measure of an epoch; lower the rates when it is time."""
        measure = float(metrics)
        self.num_bad_epochs += 1
        if self._is_better(measure):
            self.best, self.num_bad_epochs = measure, 0
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self._patience:
            for group in self.optimizer.param_groups:
                lower = max(group["lr"] * self._factor, self._min_lr)
                if group["lr"] - lower > self._eps:
                    group["lr"] = lower
            self.cooldown_counter, self.num_bad_epochs = self._cooldown, 0

    def _is_better(self, measure: float) -> bool:
        margin = self._threshold
        if self._relative and math.isfinite(self.best):
            margin *= self.best
        return self._sign * measure < self._sign * self.best - margin

    def get_last_lr(self) -> list[float]:
        """Return the rates that are set, of each parameter group."""
        return _rates(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Return what `step` has seen, for JSON; the best is null before."""
        best = self.best if math.isfinite(self.best) else None
        return {
            "best": best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        The rates themselves are part of the optimiser's state; load that too.
        """
        best = saved["best"]
        self.best = self._sign * math.inf if best is None else best
        self.num_bad_epochs = saved["num_bad_epochs"]
        self.cooldown_counter = saved["cooldown_counter"]


exports.hint(__name__)
