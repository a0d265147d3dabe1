"""When the checkpoints of a training are written, and when a signal ends it."""

from __future__ import annotations

import warnings
from time import monotonic

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import is_positive
from fastdl.parallel import Ranks
from fastdl.shapes import integer
from fastdl.train.checkpoint import Checkpoint
from fastdl.train.interrupt import Signals
from fastdl.train.packed import UnknownKindError
from fastdl.train.position import Position
from fastdl.typing import StrPath


class Interval:
    """How often within an epoch.

    Parameters
    ----------
    checkpoint : path, optional
        What is written.
    steps : int, optional
        After so many steps.
    minutes : float, optional
        After so many minutes.

    Raises
    ------
    ArgumentError, ShapeError
        A number is out of range.
    """

    def __init__(
        self, checkpoint: StrPath | None, steps: int | None, minutes: float | None
    ) -> None:
        if steps is not None:
            if checkpoint is None:
                raise ArgumentError("fit: checkpoint_steps is for checkpoint=")
            integer(steps, "fit: checkpoint_steps")
        if not (minutes is None or is_positive(minutes)):
            raise ArgumentError(
                f"fit: checkpoint_minutes must be a number above 0, or None for never, "
                f"got {minutes!r:.60}"
            )
        self._steps, self._seconds = steps, minutes and 60 * minutes
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._done, self._start = 0, monotonic()

    def add_step(self) -> bool:
        """Count a step; return whether the interval is over."""
        self._done += 1
        if self._steps is not None and self._done >= self._steps:
            return True
        waited = monotonic() - self._start
        return self._seconds is not None and waited >= self._seconds


class Rhythm:
    """Writes the checkpoints of one ``fit``, and lets signals end it between steps.

    Parameters
    ----------
    keeper : Checkpoint, optional
        What writes them, if anything does.
    interval : Interval
        How often, besides after each epoch.
    signals : Signals
        What may end the training.
    ranks : Ranks
        Who trains: the first decides when, and writes.
    batches : int
        In an epoch.

    Attributes
    ----------
    epochs : int
        How many of this ``fit`` are complete.
    """

    def __init__(
        self,
        keeper: Checkpoint | None,
        interval: Interval,
        signals: Signals,
        ranks: Ranks,
        batches: int,
    ) -> None:
        self._keeper, self._interval, self._signals = keeper, interval, signals
        self._ranks, self._batches = ranks, batches
        self._warned = False
        self.epochs = 0

    def go_on(self, position: Position) -> None:
        """Go to where in an epoch a training was interrupted, if it was in one."""
        if self._keeper is not None:
            self._keeper.go_on(position)

    def after_batch(self, position: Position, is_step: bool = True) -> None:
        """Write a checkpoint if it is time, and end the training if a signal came.

        Parameters
        ----------
        position : Position
            All that is done of the epoch.
        is_step : bool
            False for a batch that is only measured: that will be done again.
        """
        if self._keeper is not None:
            due = is_step and self._interval.add_step()
            if self._agree(due) or self._signals.pending:
                self._save(position)
        self._signals.check(
            f"in epoch {position.epoch}, after {position.batch} of {self._batches} "
            f"batches"
        )

    def after_epoch(self, position: Position) -> None:
        """Write a checkpoint, and end the training if a signal came."""
        self.epochs += 1
        if self._keeper is not None:
            self._save(None)
            self._agree(False)
            self._signals.check(f"after epoch {position.epoch}")

    def _agree(self, due: bool) -> bool:
        """Return what the first rank says; a signal to one of them is for all."""
        if self._ranks.size == 1:
            return due
        everyone = self._ranks.gather(np.array([due, self._signals.pending]))
        self._signals.pending = int(everyone[:, 1].max())
        return bool(everyone[0, 0])

    def _save(self, position: Position | None) -> None:
        assert self._keeper is not None
        try:
            self._keeper.save(self.epochs, position)
        except UnknownKindError as error:
            if not self._warned:
                warnings.warn(
                    f"fit: checkpoints are written after whole epochs only, because a "
                    f"metric keeps {error}, which no file can hold",
                    stacklevel=6,
                )
            self._warned = True
        self._interval.restart()
