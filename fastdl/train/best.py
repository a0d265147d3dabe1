"""Callbacks that act on the best epoch: stop, keep the model, lower the rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastdl import nn
from fastdl.errors import ArgumentError
from fastdl.files import as_path, check_writable
from fastdl.optim import Optimizer, set_rate
from fastdl.optim.optimizer import is_in, is_positive
from fastdl.shapes import integer
from fastdl.train.callback import Callback
from fastdl.train.monitor import Monitor
from fastdl.train.state import check_like, count
from fastdl.typing import StrPath

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer

# Files of other libraries. Any other suffix may belong to a folder, as in "runs/v1.2".
_OTHER_FORMATS = {".ckpt", ".h5", ".hdf5", ".keras", ".npz", ".onnx", ".pt", ".pth"}


class EarlyStopping(Callback):
    """Ends the training when a measure no longer improves.

    At the end of ``fit``, also after an error or Ctrl-C, the model gets the weights and
    buffers of its best epoch. (Deep Learning Specialization, course 2, week 1, "Other
    regularization methods".)

    Parameters
    ----------
    monitor : str
        A column of ``trainer.history``.
    patience : int
        How many epochs to wait for a new best, from 1.
    min_delta : float
        The least improvement that counts as a new best, >= 0.
    mode : str, optional
        "min" or "max"; known for losses, accuracies and error rates.
    restore_best : bool
        False leaves the weights of the last epoch.

    Attributes
    ----------
    best : float
        The best value; NaN before the first epoch.
    best_epoch : int
        Its epoch; 0 before the first.

    Raises
    ------
    ArgumentError
        An argument is out of range; in ``fit``: there is no such column.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best: bool = True,
    ) -> None:
        self._monitor = Monitor(monitor, min_delta, mode, "EarlyStopping")
        self.patience = integer(patience, "EarlyStopping: patience")
        self.restore_best = restore_best
        self.best_epoch = 0
        self._state: dict[str, Any] | None = None

    @property
    def best(self) -> float:
        """The best value; NaN before the first epoch."""
        return self._monitor.best

    def decides(self) -> dict[str, Any]:
        """Return what decides when the training ends, and with which weights."""
        own = {"patience": self.patience, "restore_best": self.restore_best}
        return self._monitor.decides() | own

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Forget the previous training."""
        self._monitor.reset()
        self._model = trainer.model
        self.best_epoch, self._waited, self._state = 0, 0, None

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Keep the weights if this is the best epoch; stop if it has been too long."""
        if self._monitor.improves(row):
            self.best_epoch, self._waited = int(row["epoch"]), 0
            if self.restore_best:
                self._state = trainer.model.state_dict()
            return
        self._waited += 1
        if self._waited >= self.patience:
            trainer.stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, with its weights."""
        own = {"best_epoch": self.best_epoch, "waited": self._waited}
        own |= self._monitor.state_dict()
        weights = self._state or {}
        return own | {f"model.{name}": array for name, array in weights.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self._monitor.load_state_dict(state)
        self.best_epoch = count(state, "best_epoch")
        self._waited = count(state, "waited")
        weights = {
            name.removeprefix("model."): array
            for name, array in state.items()
            if name.startswith("model.")
        }
        if weights:
            check_like(weights, self._model.state_dict())
        self._state = weights or None

    def on_train_end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if self._state is not None:
            trainer.model.load_state_dict(self._state)
            self._state = None


class ModelCheckpoint(Callback):
    """Saves the model after each epoch: the last one, and the best one.

    ``last.safetensors`` and ``best.safetensors`` in a folder, or the best one alone in
    a file; see `fastdl.load`. Each is replaced as a whole or not at all.

    Parameters
    ----------
    path : path
        A folder, or a file ``*.safetensors``; missing folders are made.
    monitor : str
        A column of ``trainer.history``, which tells what is best.
    mode : str, optional
        "min" or "max"; known for losses, accuracies and error rates.

    Raises
    ------
    ArgumentError
        An argument is wrong, such as a file of another format; in ``fit``: there is no
        such column.
    OSError
        In ``fit``, before the first step: a file cannot be written.
    """

    first_rank_only = True

    def __init__(
        self,
        path: StrPath,
        monitor: str = "val_loss",
        mode: str | None = None,
    ) -> None:
        suffix = as_path(path).suffix.lower()
        if suffix in _OTHER_FORMATS:
            raise ArgumentError(
                f"ModelCheckpoint: {path} is no file of fastdl; give a file "
                f"*.safetensors, or a folder"
            )
        if "{" in str(path):
            raise ArgumentError(
                f"ModelCheckpoint: {path} would be the name of one file, which is "
                f"replaced by each better model; leave the braces out"
            )
        self.best = as_path(path)
        self.last: Path | None = None
        if suffix != ".safetensors":
            self.best = Path(path, "best.safetensors")
            self.last = Path(path, "last.safetensors")
        self._monitor = Monitor(monitor, 0.0, mode, "ModelCheckpoint")

    def decides(self) -> dict[str, Any]:
        """Return what decides which model is the best."""
        return self._monitor.decides()

    def writes(self) -> list[Path]:
        """Return the files of the best model and, in a folder, of the last one."""
        return [self.best] if self.last is None else [self.best, self.last]

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Raise OSError unless the files can be written."""
        for path in self.writes():
            check_writable(path)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Save the model."""
        improves = self._monitor.improves(row)
        if self.last is not None:
            nn.save(trainer.model, self.last)
        if improves:
            nn.save(trainer.model, self.best)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far."""
        return self._monitor.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self._monitor.load_state_dict(state)


class ReduceOnPlateau(Callback):
    """Lowers the learning rates when a measure no longer improves.

    In a loop of your own: ``plateau.step(optimizer, {"val_loss": loss})``.

    Parameters
    ----------
    monitor : str
        A column of ``trainer.history``.
    factor : float
        What to multiply the rates by, in (0, 1).
    patience : int
        How many epochs to wait for a new best, from 1.
    min_delta : float
        The least improvement that counts as a new best, >= 0.
    min_lr : float
        The first parameter group's rate does not fall below it; >= 0.
    mode : str, optional
        "min" or "max"; known for losses, accuracies and error rates.

    Raises
    ------
    ArgumentError
        An argument is out of range; in ``fit``: there is no such column.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 0.0,
        min_lr: float = 0.0,
        mode: str | None = None,
    ) -> None:
        self._monitor = Monitor(monitor, min_delta, mode, "ReduceOnPlateau")
        if not (is_positive(factor) and factor < 1):
            raise ArgumentError(
                f"ReduceOnPlateau: factor must be in (0, 1), got {factor!r}"
            )
        if not is_in(min_lr, float("inf")):
            raise ArgumentError(
                f"ReduceOnPlateau: min_lr must be a number >= 0, got {min_lr!r}"
            )
        self.factor, self.min_lr = factor, min_lr
        self.patience = integer(patience, "ReduceOnPlateau: patience")
        self._waited = 0

    def decides(self) -> dict[str, Any]:
        """Return what decides the learning rates."""
        own = {"factor": self.factor, "patience": self.patience, "min_lr": self.min_lr}
        return self._monitor.decides() | own

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Lower the rates if there has been no improvement for too long."""
        self.step(trainer.optimizer, row)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far and how long ago it was, as JSON can hold it."""
        return self._monitor.state_dict() | {"waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it; the rates themselves are part of the optimiser's state."""
        self._monitor.load_state_dict(state)
        self._waited = count(state, "waited")

    def step(self, optimizer: Optimizer, row: dict[str, float]) -> None:
        """Take in the measures of an epoch; lower the rates when it is time."""
        if self._monitor.improves(row):
            self._waited = 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._waited = 0
            lr = optimizer.param_groups[0]["lr"]
            set_rate(optimizer, max(lr * self.factor, min(self.min_lr, lr)))
