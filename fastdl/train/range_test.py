"""Which learning rate? The range test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, NonFiniteError
from fastdl.optim import set_rate
from fastdl.optim.optimizer import is_positive
from fastdl.shapes import integer
from fastdl.train.batches import Source
from fastdl.train.callback import Callback, Step
from fastdl.train.nonfinite import Buffers
from fastdl.train.trainer import Trainer

_DIVERGED = 4.0  # times the lowest loss


class RangeTest(NamedTuple):
    """What `lr_range_test` measured, one element for each step.

    Attributes
    ----------
    rates : ndarray
        The learning rates, rising.
    losses : ndarray
        The loss of the batch before the step with that rate.
    """

    rates: np.ndarray
    losses: np.ndarray


class _Enough(Exception):
    """Ends `fit` in the middle of an epoch."""


class _Probe(Callback):
    def __init__(self, rates: np.ndarray) -> None:
        self._rates = rates
        self.losses: list[float] = []

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        learned = trainer._learned_weights().parameters()
        self._parameters = [*trainer.model.parameters(), *learned]
        self._saved = [parameter.data.copy() for parameter in self._parameters]
        self._buffers = Buffers(trainer.model)
        self._optimizer = trainer.optimizer
        self._state = trainer.optimizer.state_dict()
        set_rate(trainer.optimizer, self._rates[0])

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        self.losses.append(step.loss)
        done = len(self.losses)
        if done == len(self._rates) or step.loss > _DIVERGED * min(self.losses) > 0:
            raise _Enough
        set_rate(trainer.optimizer, self._rates[done])

    def on_train_end(self, trainer: Trainer) -> None:
        for parameter, saved in zip(self._parameters, self._saved, strict=True):
            parameter.data[...] = saved
        self._buffers.restore()
        self._optimizer.load_state_dict(self._state)


def lr_range_test(
    trainer: Trainer,
    train: Source,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
) -> RangeTest:
    r"""Train with a rate that rises at every step, and record the losses.

    .. math::
        \alpha_k = lowest \cdot (highest / lowest)^{k / (steps - 1)}, \quad
        k = 0 \ldots steps - 1

    A good rate lies where the loss falls most steeply, below the rate where it turns.
    The test ends early if the loss is not finite, or 4 times its minimum. Afterwards
    the model, the optimiser and ``trainer.history`` are as before.

    Source: Smith 2017, "Cyclical learning rates for training neural networks".

    Parameters
    ----------
    trainer : Trainer
        With the model, the loss and the optimiser to use.
    train : Dataset, tuple (x, y) or DataLoader
        As in `fastdl.Trainer.fit`.
    lowest, highest : float
        The first and the last rate, 0 < lowest < highest.
    steps : int
        How many, from 2.
    batch_size, seed : int
        As in `fastdl.Trainer.fit`; a loader has its own.

    Returns
    -------
    RangeTest

    Raises
    ------
    NonFiniteError
        There is a NaN in x, or the first loss is not finite.
    FastdlError
        An argument is out of range, or the data do not fit the model.
    """
    if not (is_positive(lowest) and is_positive(highest) and lowest < highest):
        raise ArgumentError(
            f"lr_range_test: expected 0 < lowest < highest, got {lowest!r} and "
            f"{highest!r}"
        )
    integer(steps, "lr_range_test: steps", minimum=2)
    if not isinstance(train, DataLoader):
        train = DataLoader(train, batch_size, True, seed)
    epoch = train.epoch
    rates = np.geomspace(lowest, highest, steps)
    probe = _Probe(rates)
    known = len(trainer.history)
    try:
        trainer.fit(train, epochs=steps, callbacks=[probe], progress=False)
    except _Enough:
        pass
    except NonFiniteError:
        if not probe.losses:
            raise
    finally:
        del trainer.history.rows[known:]
        train.epoch = epoch
    return RangeTest(rates[: len(probe.losses)], np.array(probe.losses))
