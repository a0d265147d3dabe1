"""Learning rates that change while a `Trainer` trains."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from fastdl import optim
from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import SMALL, as_path, parse_json, read_file
from fastdl.optim import Scheduler, set_rate
from fastdl.train.callback import Callback, Step
from fastdl.train.learner import Learner
from fastdl.train.state import count, finite_numbers, get
from fastdl.typing import StrPath

_UNITS = ("step", "epoch")

SCHEDULES: dict[str, Callable[[float], Callable[[int], float]]] = {
    "constant": lambda lr: lambda t: lr,
    "cosine": optim.Cosine,
    "one_cycle": optim.OneCycle,
}
"""By name: from the highest learning rate, a schedule over the whole training."""


class Schedule(Callback):
    """Sets the learning rates before each step, or before each epoch.

    ``Schedule("cosine")``, from the rate of the optimiser; ``Schedule(optim.Cosine(
    0.01))``; or ``Schedule(optim.InverseDecay(0.2), "epoch")``; see
    `fastdl.optim.Scheduler`. It starts from the beginning in every ``fit``, and
    restores the rates at the end.

    Parameters
    ----------
    schedule : str or callable
        A name of `fastdl.train.SCHEDULES`, "cosine" or "one_cycle", whose highest rate
        is the learning rate of the optimiser; or ``schedule(t) -> rate``, t from 1. A
        `Cosine` or `OneCycle` without a total spans the whole ``fit``.
    per : str, optional
        What t counts: "step", the default, or "epoch", that of a function whose
        argument is called so.

    Raises
    ------
    ArgumentError
        In ``fit``: the schedule returned a rate that is not a finite number > 0.
    """

    def __init__(
        self, schedule: str | Callable[[int], float], per: str | None = None
    ) -> None:
        if per is None:
            per = "epoch" if _counts_epochs(schedule) else "step"
        if isinstance(schedule, str) and schedule not in SCHEDULES:
            hint = suggest(schedule, SCHEDULES, "optim")
            raise ArgumentError(f"Schedule: unknown schedule {schedule!r}{hint}")
        if per not in _UNITS:
            raise ArgumentError(
                f"Schedule: per must be 'step' or 'epoch', got {per!r}"
                f"{suggest(str(per), _UNITS)}"
            )
        self.schedule, self.per = schedule, per

    @property
    def rule(self) -> dict[str, Any]:
        """What determines the rates."""
        return {"schedule": self.schedule, "per": self.per}

    @property
    def spans_fit(self) -> bool:
        """Whether the rates depend on how many epochs there will be."""
        schedule = self._from(1.0)
        open_end = getattr(schedule, "total", None) is None
        return hasattr(schedule, "over") and open_end

    def _from(self, lr: float) -> Callable[[int], float]:
        """Return the schedule; one that is given by name begins with this rate."""
        if isinstance(self.schedule, str):
            return SCHEDULES[self.schedule](lr)
        return self.schedule

    def decides(self) -> None:
        """Nothing: a checkpoint compares the rates by name, as "lr"."""

    def on_train_begin(self, trainer: Learner, epochs: int, batches: int) -> None:
        """Remember the rates, and set those of the first step."""
        self._groups = trainer.optimizer.param_groups
        self._before = [group["lr"] for group in self._groups]
        self._total = epochs * batches if self.per == "step" else epochs
        schedule = self._from(self._before[0])
        if hasattr(schedule, "over"):
            schedule = schedule.over(self._total)
        self._scheduler = Scheduler(trainer.optimizer, schedule)
        self._ended = False

    def on_batch_end(self, trainer: Learner, step: Step) -> None:
        """Set the rates of the next step."""
        if self.per == "step":
            self._next()

    def on_epoch_end(self, trainer: Learner, row: dict[str, float]) -> None:
        """Set the rates of the next epoch."""
        if self.per == "epoch":
            self._next()

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule is."""
        return self._scheduler.state_dict() | {"ended": self._ended}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore that."""
        own: dict[str, Any] = {"t": count(state, "t", 1)}
        for name in ("scales", "rates"):
            own[name] = finite_numbers(state, name, len(self._groups))
        self._scheduler.load_state_dict(own)
        if _ended(state):  # but now there are more epochs
            self._next()

    def go_on(self, state: dict[str, Any]) -> None:
        """Continue with its own rates at the step that another schedule reached."""
        rates = self._scheduler.state_dict()["rates"]
        for group, rate in zip(self._groups, rates, strict=True):
            group["lr"] = rate
        t = count(state, "t", 1) + _ended(state)
        self._scheduler.t = min(t, self._total) - 1
        self._scheduler.step()

    def _next(self) -> None:
        self._ended = self._scheduler.t >= self._total
        if not self._ended:
            self._scheduler.step()

    def on_train_end(self, trainer: Learner) -> None:
        """Restore the rates."""
        for group, rate in zip(self._groups, self._before, strict=True):
            group["lr"] = rate


def _counts_epochs(schedule: object) -> bool:
    """Whether a function says that it takes the number of an epoch."""
    code = getattr(schedule, "__code__", None)
    return code is not None and code.co_varnames[:1] == ("epoch",)


def _ended(state: dict[str, Any]) -> bool:
    """Whether t is a step that was made, not the next one."""
    return "ended" in state and get(state, "ended", bool, "true or false")


class ManualRate(Callback):
    """Reads the learning rate from a file between epochs, to steer a training by hand.

    Write ``{"learning_rate": 0.0003}`` to the file while the training runs, and it
    applies from the next epoch on. A `Schedule` continues from there in proportion. Any
    other content is reported once on the standard error stream, and changes nothing.
    (The "panda" approach: Deep Learning Specialization, course 2, week 3.)

    Parameters
    ----------
    path : path
        The file, such as ``control.json`` of a `RunFolder`. It need not exist; what it
        contains at the start of the training applies too.
    """

    first_rank_only = True

    def __init__(self, path: StrPath) -> None:
        self.path = as_path(path)
        self._seen: str | None = None

    def on_epoch_begin(self, trainer: Learner, epoch: int) -> None:
        """Read the file."""
        try:
            if not self.path.exists():
                return
            text = read_file(self.path, SMALL).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            text, problem = repr(error), str(error)
        else:
            problem = ""
        if text == self._seen:
            return
        self._seen = text
        before = trainer.optimizer.param_groups[0]["lr"]
        try:
            if problem:
                raise ArgumentError(problem)
            rate = _rate_in(text)
            set_rate(trainer.optimizer, rate)
        except ArgumentError as error:
            message = f"{self.path} is ignored: {error}"
        else:
            message = f"learning rate {before:g} -> {rate:g} by {self.path}"
        print(f"epoch {epoch}: {message}", file=sys.stderr)

    def state_dict(self) -> dict[str, Any]:
        """Return what was read last, so that it is not applied twice."""
        return {"seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore that."""
        seen = get(state, "seen", (str, type(None)), "a text")
        self._seen = None if seen is None else str(seen)


def _rate_in(text: str) -> float:
    """Return the learning rate in a control file, without checking its range."""
    example = 'expected {"learning_rate": 0.001}'
    try:
        control = parse_json(text, "it")
    except DataError as error:
        raise ArgumentError(f"{error}; {example}") from None
    if not isinstance(control, dict) or list(control) != ["learning_rate"]:
        raise ArgumentError(f"{example}, got {text!r:.80}")
    return control["learning_rate"]
