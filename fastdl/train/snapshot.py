"""The state before a restore, to return to if that fails."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from fastdl import random
from fastdl.data import DataLoader
from fastdl.train.callback import Callback
from fastdl.train.learner import Learner


class Snapshot:
    """The state of a trainer, a loader and callbacks.

    Of a callback it holds the attributes, and the contents of those that are lists,
    dicts, sets or objects of fastdl. What lies deeper is left to the callback.

    Parameters
    ----------
    trainer : Learner
        All sizes of its model are known.
    loader : DataLoader
        What it trains on.
    callbacks : sequence of Callback
        Before they begin.

    Attributes
    ----------
    model, loss, optimizer : dict
        Their ``state_dict``; of the loss only the weights of tasks that it learns.
    """

    def __init__(
        self, trainer: Learner, loader: DataLoader, callbacks: Sequence[Callback]
    ) -> None:
        self._trainer, self._loader = trainer, loader
        self.model = trainer.model.state_dict()
        self.loss = trainer._learned_weights().state_dict()
        self.optimizer = trainer.optimizer.state_dict()
        self._epoch, self._stopping = loader.epoch, trainer._stopping
        self._random = random.state_dict()
        containers: list[Any] = [trainer.history.rows, *map(vars, callbacks)]
        for callback in callbacks:
            containers.extend(_containers(callback))
        self._contents = [(each, copy.copy(each)) for each in containers]

    def put_back(self) -> None:
        """Restore everything."""
        self._trainer.model.load_state_dict(self.model)
        self._trainer._learned_weights().load_state_dict(self.loss)
        self._trainer.optimizer.load_state_dict(self.optimizer)
        self._loader.epoch, self._trainer._stopping = self._epoch, self._stopping
        random.load_state_dict(self._random)
        for container, contents in self._contents:
            container.clear()
            fill = container.extend if isinstance(container, list) else container.update
            fill(contents)


def _containers(owner: object) -> Iterator[list | dict | set]:
    """Yield the attributes of an object that can change in place, as containers."""
    for value in vars(owner).values():
        if isinstance(value, (list, dict, set)):
            yield value
        elif type(value).__module__.startswith("fastdl.") and hasattr(
            value, "__dict__"
        ):
            yield vars(value)
