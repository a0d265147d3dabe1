"""Averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.errors import ArgumentError, FastdlError
from fastdl.nn import Module
from fastdl.optim.optimizer import is_in
from fastdl.train.callback import Callback, Step
from fastdl.train.state import check_like, count

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


class WeightAverage(Callback):
    r"""Keeps the exponentially weighted average of the weights over the steps.

    .. math::
        \bar\theta_t = \beta_t \bar\theta_{t-1} + (1 - \beta_t) \theta_t, \qquad
        \beta_t = \beta \frac{1 - \beta^{t-1}}{1 - \beta^t}

    This :math:`\beta_t` is the bias correction of `fastdl.metrics.ExponentialAverage`,
    in one pass. The average often does better than the last weights (Polyak, Juditsky
    1992). Buffers, such as the statistics of batch norm, are not averaged.

    ::

        average = train.WeightAverage(0.99)
        trainer.fit(data, epochs=10, callbacks=[average])
        with average.applied(trainer.model):
            trainer.evaluate(dev)

    Parameters
    ----------
    beta : float
        The weight of the old average, in [0, 1).
    apply_at_end : bool
        Whether the model gets the average at the end of ``fit``.

    Raises
    ------
    ArgumentError
        beta is not in [0, 1).
    """

    def __init__(self, beta: float = 0.999, apply_at_end: bool = False) -> None:
        if not is_in(beta, 1):
            raise ArgumentError(f"WeightAverage: beta must be in [0, 1), got {beta!r}")
        self.beta, self.apply_at_end = beta, apply_at_end
        self._averages: list[np.ndarray] = []
        self._steps = 0

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Remember the model."""
        self._model = trainer.model

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Add the new weights to the average."""
        parameters = list(trainer.model.parameters())
        if not self._averages:
            self._averages = [np.zeros_like(each.data) for each in parameters]
        self._steps += 1
        new = (1 - self.beta) / (1 - self.beta**self._steps)
        for average, parameter in zip(self._averages, parameters, strict=True):
            average += new * (parameter.data - average)

    def on_train_end(self, trainer: Trainer) -> None:
        """Give the model the average, if asked to."""
        if self.apply_at_end and self._averages:
            self._exchange(trainer.model)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages."""
        averages = {str(index): array for index, array in enumerate(self._averages)}
        return {"steps": self._steps, **averages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the averages."""
        self._steps = count(state, "steps")
        averages = {name: each for name, each in state.items() if name != "steps"}
        own = {str(i): p.data for i, p in enumerate(self._model.parameters())}
        if averages:
            check_like(averages, own)
        self._averages = [averages[name] for name in own if averages]

    @contextmanager
    def applied(self, model: Module) -> Iterator[None]:
        """Give a model the averages inside a ``with`` block.

        Raises
        ------
        FastdlError
            There is no average yet.
        """
        if not self._averages:
            raise FastdlError("WeightAverage: no step yet, so there is no average")
        before = self._exchange(model)
        try:
            yield
        finally:
            self._put(model, before)

    def _exchange(self, model: Module) -> list[np.ndarray]:
        before = [parameter.data.copy() for parameter in model.parameters()]
        self._put(model, self._averages)
        return before

    def _put(self, model: Module, arrays: list[np.ndarray]) -> None:
        for parameter, array in zip(model.parameters(), arrays, strict=True):
            parameter.data[...] = array
            parameter.mark_changed()
