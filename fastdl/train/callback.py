"""Callbacks: code that the training loop calls at fixed points."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastdl.errors import ArgumentError, suggest
from fastdl.files import previous
from fastdl.typing import StrPath

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


_OF_KERAS = ("epoch", "batch", "logs")  # in the place of the trainer


class Step(NamedTuple):
    """One update of the parameters.

    Attributes
    ----------
    epoch, batch : int
        Both from 1.
    examples : int
        In this batch.
    loss : float
        Mean over the batch, before the update.
    """

    epoch: int
    batch: int
    examples: int
    loss: float


class Callback:
    """Base of all callbacks; a method does nothing unless it is overridden.

    A method may use ``trainer.model``, ``trainer.optimizer`` and ``trainer.history``;
    ``trainer.stop()`` ends the training after the current epoch.

    Attributes
    ----------
    first_rank_only : bool
        Where several processes train together, see `fastdl.parallel`: whether only the
        first calls it, which is right for what writes or prints. False by default.
    """

    first_rank_only = False

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Run before the first step: `epochs` epochs of `batches` batches follow."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Run before each epoch, counted from 1.

        Where a training goes on within an epoch this runs too, before
        `load_state_dict`.
        """

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Run after each update."""

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Run after each epoch; `row` is the last one of ``trainer.history``."""

    def on_train_end(self, trainer: Trainer) -> None:
        """Run at the end, also after an error or Ctrl-C."""

    def decides(self) -> dict[str, Any] | None:
        """Return the settings that affect the training, or None if it only watches.

        A checkpoint compares them before a training is resumed. By default they are the
        arguments of the constructor that are kept as attributes of the same names.
        """
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def writes(self) -> Sequence[StrPath]:
        """Return the paths of the files that it replaces while the model trains.

        ``fit`` refuses two callbacks that write the same file.
        """
        return ()

    def state_dict(self) -> dict[str, Any]:
        """Return what resuming needs, at any step: arrays, and what JSON can hold."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        It runs after `on_train_begin`; within an epoch once more after
        `on_epoch_begin`.
        """


def check_callbacks(
    callbacks: Sequence[Callback], checkpoint: StrPath | None = None
) -> None:
    """Raise ArgumentError if one is not a Callback, or two write the same file.

    The file ``checkpoint`` is written by ``fit`` itself.
    """
    if not isinstance(callbacks, Sequence):
        raise ArgumentError(
            f"fit: callbacks are a list, such as [EarlyStopping()], got "
            f"{type(callbacks).__name__}"
        )
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise ArgumentError(
                f"fit: callbacks must be Callback objects, such as EarlyStopping(), "
                f"got {callback!r:.60}"
            )
        _check_methods(type(callback))
    writers = {}
    if checkpoint is not None:
        for path in (checkpoint, previous(checkpoint)):
            writers[_place(path)] = "fit: checkpoint"
    for callback in callbacks:
        for path in callback.writes():
            name, place = type(callback).__name__, _place(path)
            if place in writers:
                raise ArgumentError(
                    f"fit: {path} would be written by two, {writers[place]} and "
                    f"{name}; give each a file of its own"
                )
            writers[place] = name


def _check_methods(kind: type[Callback]) -> None:
    """Raise ArgumentError for a method that `fit` would not call, or call wrongly."""
    known = {name: each for name, each in vars(Callback).items() if name[:3] == "on_"}
    for name in dir(kind):
        method = getattr(kind, name)
        if name[:3] != "on_" or not callable(method):
            continue
        if name not in known:
            meant = suggest(re.sub("_(train_)?(batch|step)_", "_batch_", name), known)
            raise ArgumentError(f"fit: nothing calls {kind.__name__}.{name}{meant}")
        expected = list(inspect.signature(known[name]).parameters)
        signature = inspect.signature(method)
        given = list(signature.parameters)
        try:
            signature.bind(*expected)
        except TypeError:
            fits = False
        else:
            fits = len(given) < 2 or given[1] not in _OF_KERAS
        if not fits:
            raise ArgumentError(
                f"fit: {kind.__name__}.{name} takes ({', '.join(given)}), but it is "
                f"called as ({', '.join(expected)})"
            )


def _place(path: StrPath) -> str:
    return os.path.normcase(os.path.realpath(path))
