"""Learning rates that change while a model trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastdl.train.callback import Callback, Step

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


class Schedule(Callback):
    """Multiplies the learning rate of every parameter group before each step.

    The rates are put back at the end of ``fit``.

    Parameters
    ----------
    factor : callable
        ``factor(t) -> float``, where t in [0, 1) is the part of all steps of this
        ``fit`` that are done; for example `cosine`.
    """

    def __init__(self, factor: Callable[[float], float]) -> None:
        self.factor = factor

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Note the rates, and set those of the first step."""
        self._groups = trainer.optimizer.param_groups
        self._rates = [group["lr"] for group in self._groups]
        self._steps, self._done = epochs * batches, 0
        self._set(self.factor(0.0))

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Set the rates of the next step."""
        self._done += 1
        if self._done < self._steps:
            self._set(self.factor(self._done / self._steps))

    def on_train_end(self, trainer: Trainer) -> None:
        """Put the rates back."""
        self._set(1.0)

    def _set(self, factor: float) -> None:
        for group, rate in zip(self._groups, self._rates, strict=True):
            group["lr"] = rate * factor


def cosine(t: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov, Hutter 2017, SGDR)."""
    return 0.5 * (1 + math.cos(math.pi * t))
