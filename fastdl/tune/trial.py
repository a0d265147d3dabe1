"""One trial, as the objective sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastdl.errors import ArgumentError, suggest
from fastdl.shapes import integer
from fastdl.train import Callback
from fastdl.train.monitor import Monitor
from fastdl.tune.lease import Lease
from fastdl.tune.study import Claim, LostError, Study

if TYPE_CHECKING:
    from fastdl.train import Trainer


class Trial(Mapping[str, Any]):
    """The values of a trial, by name, and what stops it early.

    Attributes
    ----------
    number : int
        From 0.
    params : dict
        The values.
    stopped : bool
        Whether it is hopeless, or another worker has it: the objective may return at
        once, and its score does not count.
    """

    def __init__(self, study: Study, claim: Claim, lease: Lease) -> None:
        self.number, self.params = claim.number, claim.params
        self._study, self._own, self._lease = study, claim.id, lease
        self.steps = 0
        self.why: str | None = None

    @property
    def lost(self) -> bool:
        """Whether another worker has it by now."""
        return self._lease.lost

    @property
    def stopped(self) -> bool:
        """Whether there is no need to continue."""
        return self.lost or self.why is not None

    def report(self, score: float, step: int | None = None) -> bool:
        """Report the score so far.

        Parameters
        ----------
        score : float
            Measured on the dev set.
        step : int, optional
            After which step, such as the epoch, from 1; by default the next one.

        Returns
        -------
        bool
            Whether to continue.
        """
        self.steps = integer(self.steps + 1 if step is None else step, "report: step")
        if not math.isfinite(score):
            self.give_up(f"the score is {score} at step {self.steps}")
            return False
        try:
            if self._study.report(self._own, self.steps, float(score)):
                self.give_up(f"behind the others at step {self.steps}")
        except LostError:
            self._lease.lost = True
        return not self.stopped

    def give_up(self, why: str) -> None:
        """End it without a score; the reason is shown in the table."""
        self.why = self.why or why

    def callback(self, monitor: str = "val_accuracy") -> Callback:
        """Return a callback for `fastdl.Trainer.fit`: it reports after each epoch.

        Parameters
        ----------
        monitor : str
            The column of the history that is the score. It must be one of the dev set,
            such as "val_loss".
        """
        return Reporter(self, monitor)

    def __getitem__(self, name: str) -> Any:
        if name not in self.params:
            raise ArgumentError(f"Trial: no {name!r}{suggest(name, self.params)}")
        return self.params[name]

    def __contains__(self, name: object) -> bool:
        return name in self.params

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return f"Trial({self.number}, {self.params})"


class Reporter(Callback):
    """Reports the score of each epoch to a trial; ends a hopeless training."""

    def __init__(self, trial: Trial, monitor: str) -> None:
        self._trial = trial
        self._monitor = Monitor(monitor, 0.0, "max", "search")

    def decides(self) -> dict[str, Any]:
        """Return the setting that affects when the training ends."""
        return {"monitor": self._monitor.name}

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Report."""
        if not self._trial.report(self._monitor.value(row), int(row["epoch"])):
            trainer.stop()
