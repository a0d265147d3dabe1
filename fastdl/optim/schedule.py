"""Learning rates that change: functions of the epoch or of the step.

A schedule is called with t = 1, 2, 3 ...: the number of the next epoch or step. Any
function ``t -> rate`` will do; these are the usual ones. `Scheduler` applies one in a
loop of your own, `fastdl.train.Schedule` in a `fastdl.Trainer`. After the end of a
schedule its last rate holds, and no rate falls to 0, where nothing would be learned.

Source: Deep Learning Specialization, course 2, week 2, "Learning rate decay"; the
horizons of `Cosine` and `OneCycle` are of the papers named there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import Optimizer, is_in, is_positive
from fastdl.shapes import integer

TINY = 1e-38  # the lowest rate; too low to change float32 weights


def checked_rate(schedule: Callable[[int], float], t: int) -> float:
    """Return the rate of a schedule at t.

    Raises
    ------
    ArgumentError
        It is not a finite number > 0; the message names the schedule.
    """
    rate = schedule(t)
    if not is_positive(rate):
        name = getattr(schedule, "__name__", schedule)
        raise ArgumentError(
            f"schedule {name} gave {rate!r} for t = {t}; a learning rate must be a "
            f"finite number > 0"
        )
    return float(rate)


def _require(fits: bool, schedule: object, name: str, what: str) -> None:
    if not fits:
        value = getattr(schedule, name)
        raise ArgumentError(
            f"{type(schedule).__name__}: {name} must be {what}, got {value!r}"
        )


@dataclass(frozen=True)
class InverseDecay:
    r"""Decay with the inverse of time.

    .. math:: \alpha_t = \frac{\alpha_0}{1 + decay \cdot t}

    Parameters
    ----------
    lr : float
        The rate :math:`\alpha_0`, > 0. With 0.2 and decay 1: 0.1, 0.067, 0.05, 0.04.
    decay : float
        >= 0.
    """

    lr: float
    decay: float = 1.0

    def __post_init__(self) -> None:
        _require(is_positive(self.lr), self, "lr", "a number > 0")
        _require(is_in(self.decay, math.inf), self, "decay", "a number >= 0")

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        return self.lr / (1 + self.decay * t)


@dataclass(frozen=True)
class InverseStaircase(InverseDecay):
    r"""Decay with the inverse of time, by stairs.

    .. math:: \alpha_t = \frac{\alpha_0}{1 + decay \lfloor t / every \rfloor}

    Parameters
    ----------
    lr, decay : float
        As in `InverseDecay`.
    every : int
        How many epochs or steps each rate lasts, from 1: the course's "time interval".
        The first rate lasts one less, as t begins with 1.
    """

    every: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        integer(self.every, "InverseStaircase: every")

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        return super().__call__(t // self.every)


@dataclass(frozen=True)
class ExponentialDecay:
    r"""Decay by a constant factor.

    .. math:: \alpha_t = \alpha_0 \cdot base^t

    Parameters
    ----------
    lr : float
        The rate :math:`\alpha_0`, > 0.
    base : float
        In (0, 1].
    """

    lr: float
    base: float = 0.95

    def __post_init__(self) -> None:
        _require(is_positive(self.lr), self, "lr", "a number > 0")
        fits = is_positive(self.base) and self.base <= 1
        _require(fits, self, "base", "in (0, 1]")

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        return max(self.lr * self.base**t, TINY)


@dataclass(frozen=True)
class InverseRoot:
    r"""Decay with the square root of time, counted in epochs or mini-batches.

    .. math:: \alpha_t = \frac{k}{\sqrt t}

    Parameters
    ----------
    k : float
        The first rate, > 0.
    """

    k: float

    def __post_init__(self) -> None:
        _require(is_positive(self.k), self, "k", "a number > 0")

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        return self.k / math.sqrt(t)


@dataclass(frozen=True)
class Staircase:
    r"""Multiply the rate at regular intervals, by default by a half.

    .. math:: \alpha_t = \alpha_0 \cdot factor^{\lfloor (t - 1) / every \rfloor}

    Parameters
    ----------
    lr : float
        The first rate, > 0.
    every : int
        How many epochs or steps each rate lasts, from 1.
    factor : float
        In (0, 1].
    """

    lr: float
    every: int
    factor: float = 0.5

    def __post_init__(self) -> None:
        _require(is_positive(self.lr), self, "lr", "a number > 0")
        integer(self.every, "Staircase: every")
        fits = is_positive(self.factor) and self.factor <= 1
        _require(fits, self, "factor", "in (0, 1]")

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        return max(self.lr * self.factor ** ((t - 1) // self.every), TINY)


@dataclass(frozen=True)
class Piecewise:
    """Rates from a table.

    Parameters
    ----------
    rates : sequence of float
        One after the other, each > 0.
    ends : sequence of int
        The last epoch or step of each rate but the last; increasing, from 1.
    """

    rates: Sequence[float]
    ends: Sequence[int]

    def __post_init__(self) -> None:
        rates, ends = list(self.rates), list(self.ends)
        _require(
            bool(rates) and all(map(is_positive, rates)), self, "rates", "numbers > 0"
        )
        rising = all(a < b for a, b in zip([0, *ends], ends, strict=False))
        _require(
            rising and len(ends) == len(rates) - 1,
            self,
            "ends",
            f"{len(rates) - 1} rising numbers >= 1",
        )

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        return self.rates[sum(t > end for end in self.ends)]


@dataclass(frozen=True)
class Cosine:
    r"""Fall along half a cosine, after a linear warm-up (Loshchilov, Hutter 2017).

    .. math::
        \alpha_t = \alpha_{final} + (\alpha_0 - \alpha_{final}) \, \tfrac 1 2
        \left(1 + \cos \pi \frac{t - 1 - w}{T - w}\right), \qquad
        \alpha_t = \alpha_0 \frac{t}{w + 1} \text{ for } t \le w

    Parameters
    ----------
    lr : float
        The highest rate, > 0.
    total : int, optional
        T, the number of epochs or steps. `fastdl.train.Schedule` fills it in.
    warmup : int
        w, the number of epochs or steps in which the rate rises (Goyal et al. 2017).
    final : float
        The rate after the last epoch or step, in [0, lr]. If it is 0, the rate of the
        last one, just above 0, is kept instead.
    """

    lr: float
    total: int | None = None
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _require(is_positive(self.lr), self, "lr", "a number > 0")
        integer(self.warmup, "Cosine: warmup", minimum=0)
        fits = is_in(self.final, math.inf) and self.final <= self.lr
        _require(fits, self, "final", f"in [0, {self.lr}]")
        if self.total is not None:
            integer(self.total, "Cosine: total", minimum=self.warmup + 1)

    def over(self, total: int) -> Cosine:
        """Return the schedule with `total`, unless it has its own."""
        return self if self.total else replace(self, total=total)

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        if t <= self.warmup:
            return self.lr * t / (self.warmup + 1)
        total = _total(self)
        if self.final == 0:
            t = min(t, total)
        part = (t - 1 - self.warmup) / (total - self.warmup)
        return _half_cosine(self.lr, self.final, part)


@dataclass(frozen=True)
class OneCycle:
    """Rise, then fall far below the start, each along half a cosine.

    Smith, Topin 2018, "Super-convergence".

    Parameters
    ----------
    lr : float
        The highest rate, > 0.
    total : int, optional
        The number of epochs or steps. `fastdl.train.Schedule` fills it in.
    rise : float
        The fraction of them in which the rate rises, in (0, 1).
    start, final : float
        What lr is divided by for the first and the last rate, >= 1.
    """

    lr: float
    total: int | None = None
    rise: float = 0.3
    start: float = 25.0
    final: float = 1e4

    def __post_init__(self) -> None:
        _require(is_positive(self.lr), self, "lr", "a number > 0")
        fits = is_positive(self.rise) and self.rise < 1
        _require(fits, self, "rise", "in (0, 1)")
        for name in ("start", "final"):
            divisor = getattr(self, name)
            fits = is_positive(divisor) and divisor >= 1
            _require(fits, self, name, "a number >= 1")
        if self.total is not None:
            integer(self.total, "OneCycle: total", minimum=2)

    def over(self, total: int) -> OneCycle:
        """Return the schedule with `total`, unless it has its own."""
        return self if self.total else replace(self, total=total)

    def __call__(self, t: float) -> float:
        """Return the rate of epoch or step t, from 1."""
        part = (t - 1) / (_total(self) - 1)
        if part < self.rise:
            return _half_cosine(self.lr / self.start, self.lr, part / self.rise)
        fallen = (part - self.rise) / (1 - self.rise)
        return _half_cosine(self.lr, self.lr / self.final, fallen)


def _total(schedule: Cosine | OneCycle) -> int:
    if schedule.total is None:
        raise ArgumentError(
            f"{type(schedule).__name__}: how many epochs or steps? Give total="
        )
    return schedule.total


def _half_cosine(first: float, last: float, part: float) -> float:
    """Go from one rate to another as `part` goes from 0 to 1, and stay there."""
    fall = 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))
    return last + (first - last) * fall


class Scheduler:
    """Sets the learning rates of an optimiser by a schedule, in a loop of your own.

    ::

        scheduler = optim.Scheduler(optimizer, optim.InverseDecay(0.2))
        for epoch in range(epochs):
            ...  # all steps of the epoch
            scheduler.step()

    After the end of a schedule its last rate holds. The first parameter group gets the
    rate of the schedule; the others keep their ratio to it. If a rate was changed from
    outside since the last `step`, the following ones are scaled accordingly.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are set to those of t = 1 immediately.
    schedule : callable
        ``schedule(t) -> rate``, t from 1, such as `InverseDecay`.

    Attributes
    ----------
    t : int
        The epoch or step whose rates are currently set.

    Raises
    ------
    ArgumentError
        The schedule returned 0, a negative number, NaN or infinity.
    """

    def __init__(self, optimizer: Optimizer, schedule: Callable[[int], float]) -> None:
        if isinstance(schedule, type) or not callable(schedule):
            raise ArgumentError(
                f"Scheduler: schedule must be a function of t such as "
                f"optim.InverseDecay(0.2), got {schedule!r:.60}"
            )
        self._groups, self._schedule = optimizer.param_groups, schedule
        self.t = 1
        first = self._groups[0]["lr"]
        self._scales = [group["lr"] / first for group in self._groups]
        self._set()

    def step(self) -> None:
        """Set the rates of the next epoch or step."""
        self.t += 1
        for index, group in enumerate(self._groups):
            if group["lr"] != self._rates[index]:
                self._scales[index] *= group["lr"] / self._rates[index]
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule, for JSON."""
        return {"t": self.t, "scales": self._scales, "rates": self._rates}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        The rates themselves are part of the optimiser's state; load that too.

        Raises
        ------
        ArgumentError
            The state has a different number of parameter groups.
        """
        if len(saved["scales"]) != len(self._groups):
            raise ArgumentError(
                f"Scheduler: this state is of {len(saved['scales'])} parameter groups, "
                f"but the optimiser has {len(self._groups)}"
            )
        self.t = saved["t"]
        self._scales, self._rates = list(saved["scales"]), list(saved["rates"])

    def _set(self) -> None:
        rate = checked_rate(self._schedule, self.t)
        self._rates = [rate * scale for scale in self._scales]
        for group, value in zip(self._groups, self._rates, strict=True):
            group["lr"] = value


def set_rate(optimizer: Optimizer, lr: float) -> None:
    """Give the first parameter group a learning rate; the others keep their ratio.

    Raises
    ------
    ArgumentError
        lr is not a finite number > 0.
    """
    if not is_positive(lr) or isinstance(lr, bool):
        raise ArgumentError(f"learning rate: expected a number > 0, got {lr!r:.60}")
    before = optimizer.param_groups[0]["lr"]
    for group in optimizer.param_groups:
        group["lr"] *= lr / before
    optimizer.param_groups[0]["lr"] = float(lr)  # without rounding
