"""Where a training stands, in one file, to go on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DataError
from fastdl.nn.serialize import read_tensors, write_tensors
from fastdl.train.callback import Callback

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer

_KEY = "fastdl.checkpoint"  # in the file's metadata


class Checkpoint:
    """The model, the optimiser, the history, the order of the data, the callbacks.

    One safetensors file: arrays by name, all else as JSON in its metadata.

    Parameters
    ----------
    path : path
        The file; replaced as a whole or not at all.
    trainer : Trainer
        Whose training it is.
    loader : DataLoader
        What it trains on.
    callbacks : sequence of Callback
        Those of this ``fit``, in order.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        trainer: Trainer,
        loader: DataLoader,
        callbacks: Sequence[Callback],
    ) -> None:
        self.path = Path(path)
        self._trainer, self._loader, self._callbacks = trainer, loader, callbacks

    @property
    def _names(self) -> list[str]:
        return [type(callback).__name__ for callback in self._callbacks]

    def save(self, epochs: int, stopped: bool) -> None:
        """Write the file after so many epochs of this ``fit``."""
        optimizer = self._trainer.optimizer.state_dict()
        arrays = _prefixed("model", self._trainer.model.state_dict())
        arrays |= _prefixed("optimizer", optimizer.pop("state"))
        states = []
        for index, callback in enumerate(self._callbacks):
            state = callback.state_dict()
            own = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
            arrays |= _prefixed(f"callback{index}", own)
            states.append({k: v for k, v in state.items() if k not in own})
        description = {
            "epochs": epochs,
            "stopped": stopped,
            "loader": self._loader.epoch,
            "history": self._trainer.history.rows,
            "optimizer": optimizer,
            "callbacks": self._names,
            "states": states,
        }
        write_tensors(arrays, self.path, {_KEY: json.dumps(description, default=float)})

    def restore(self) -> tuple[int, bool]:
        """Put everything back; return the epochs done and whether it was stopped.

        Raises
        ------
        DataError
            The file is missing, damaged, or no checkpoint.
        ArgumentError
            It was made with other callbacks.
        FastdlError
            It is of another model or optimiser.
        """
        arrays, metadata = read_tensors(self.path)
        try:
            saved = json.loads(metadata[_KEY])
        except (KeyError, ValueError):
            raise DataError(f"{self.path} is no checkpoint of a training") from None
        if saved["callbacks"] != self._names:
            raise ArgumentError(
                f"fit: {self.path} was made with the callbacks {saved['callbacks']}, "
                f"but there are {self._names}"
            )
        trainer = self._trainer
        trainer.model.load_state_dict(_within("model", arrays))
        state = _within("optimizer", arrays)
        trainer.optimizer.load_state_dict(saved["optimizer"] | {"state": state})
        for index, callback in enumerate(self._callbacks):
            own = _within(f"callback{index}", arrays)
            callback.load_state_dict(saved["states"][index] | own)
        trainer.history.rows[:] = saved["history"]
        self._loader.epoch = saved["loader"]
        return saved["epochs"], saved["stopped"]


def _prefixed(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _within(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        name.removeprefix(f"{prefix}."): array
        for name, array in arrays.items()
        if name.startswith(f"{prefix}.")
    }
