"""Finds layers whose gradients are far too small, or far too large."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import is_in
from fastdl.shapes import integer
from fastdl.train.callback import Callback, Step
from fastdl.train.state import get, numbers

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


class GradientMonitor(Callback):
    r"""Watches the norm of the gradient of each parameter, :math:`\|g_p\|_2`.

    Adds "gradient_norm" to ``trainer.history``: the norm of all gradients together,
    averaged over the epoch. A parameter whose mean norm is below `vanishing` or above
    `exploding` is reported once on the standard error stream. The gradients are
    those of the step, after any clipping. (Deep Learning Specialization, course 2,
    week 1, "Vanishing / exploding gradients".)

    Parameters
    ----------
    vanishing, exploding : float
        The limits, 0 <= vanishing < exploding.
    every : int
        Look at every so many steps only, from 1.

    Attributes
    ----------
    norms : dict of str to float
        The mean norm of each parameter in the last epoch, by name; frozen and unused
        ones are missing.

    Raises
    ------
    ArgumentError
        An argument is out of range.
    """

    def __init__(
        self, vanishing: float = 1e-7, exploding: float = 1e3, every: int = 1
    ) -> None:
        if not (is_in(exploding, math.inf) and is_in(vanishing, exploding)):
            raise ArgumentError(
                f"GradientMonitor: expected 0 <= vanishing < exploding, got "
                f"{vanishing!r} and {exploding!r}"
            )
        self.vanishing, self.exploding = vanishing, exploding
        self.every = integer(every, "GradientMonitor: every")
        self.norms: dict[str, float] = {}
        self._reported: set[tuple[str, str]] = set()

    def decides(self) -> None:
        """Nothing: it only watches."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Start a new average."""
        self._norms: dict[str, list[float]] = {}
        self._all: list[float] = []

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Note the norms."""
        if (step.batch - 1) % self.every:
            return
        norms = {
            name: math.sqrt(np.square(parameter.grad, dtype=np.float64).sum())
            for name, parameter in trainer.model.named_parameters()
            if parameter.grad is not None
        }
        for name, norm in norms.items():
            self._norms.setdefault(name, []).append(norm)
        self._all.append(math.hypot(*norms.values()))

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Report what vanishes or explodes."""
        self.norms = {name: float(np.mean(all)) for name, all in self._norms.items()}
        row["gradient_norm"] = float(np.mean(self._all))
        for name, norm in self.norms.items():
            if norm < self.vanishing:
                verdict = "vanishes"
            elif norm > self.exploding:
                verdict = "explodes"
            else:
                continue
            if (name, verdict) not in self._reported:
                self._reported.add((name, verdict))
                print(
                    f"epoch {row['epoch']}: the gradient of '{name}' {verdict}: its "
                    f"norm is {norm:.2g}",
                    file=sys.stderr,
                )

    def state_dict(self) -> dict[str, Any]:
        """Return the norms of this epoch so far, and what has been reported."""
        norms = {f"norm.{name}": np.array(all) for name, all in self._norms.items()}
        return {"reported": sorted(self._reported), "all": np.array(self._all), **norms}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore that."""
        self._all = numbers(state, "all")
        self._norms = {
            name.removeprefix("norm."): numbers(state, name)
            for name in state
            if name.startswith("norm.")
        }
        reported = get({"reported": [], **state}, "reported", list, "a list of pairs")
        self._reported = {(str(name), str(verdict)) for name, verdict in reported}
