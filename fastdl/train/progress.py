"""Progress on a terminal or in a notebook: a bar during an epoch, a line after it."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from fastdl.errors import ArgumentError
from fastdl.progress import is_watched, progress_bar
from fastdl.train.callback import Callback, Step
from fastdl.train.history import describe
from fastdl.train.learner import Learner


class Progress(Callback):
    """Writes to the standard error stream; the bar only where somebody watches.

    Parameters
    ----------
    bar : bool
        False leaves it out there too.
    """

    first_rank_only = True

    _bar: Any = None

    def __init__(self, bar: bool = True) -> None:
        self._shown = None if bar else False

    def on_train_begin(self, trainer: Learner, epochs: int, batches: int) -> None:
        """Remember how much there is to do."""
        self._last = len(trainer.history) + epochs
        self._batches = batches

    def on_epoch_begin(self, trainer: Learner, epoch: int) -> None:
        """Open the bar."""
        self._title = f"epoch {epoch:{len(str(self._last))}}/{self._last}"
        self._bar = progress_bar(
            desc=self._title,
            total=self._batches,
            unit=" batches",
            leave=False,
            shown=self._shown,
        )

    def on_batch_end(self, trainer: Learner, step: Step) -> None:
        """Move the bar."""
        if not self._bar.disable:
            self._bar.set_postfix_str(f"loss {step.loss:.4f}", refresh=False)
            self._bar.update(step.batch - self._bar.n)  # not 1, if resumed

    def on_epoch_end(self, trainer: Learner, row: dict[str, float]) -> None:
        """Replace the bar with a line."""
        self._bar.close()
        # Nobody reads it any more, as after `2>&1 | head`: no reason to lose an epoch.
        with suppress(BrokenPipeError):
            print(f"{self._title}  {describe(row)}", file=sys.stderr)

    def on_train_end(self, trainer: Learner) -> None:
        """Remove a bar that an error or Ctrl-C left."""
        if self._bar is not None:
            self._bar.close()


def reporting(progress: bool | None, verbose: int | str | None) -> list[Callback]:
    """Return what reports on a training, as ``fit(progress=, verbose=)`` say.

    Raises
    ------
    ArgumentError
        Both are given, or `verbose` is none of its values.
    """
    if verbose in (None, "auto"):
        shown = is_watched() if progress is None else progress
        return [Progress()] if shown else []
    if progress is not None:
        raise ArgumentError("fit: progress and verbose mean the same; give one")
    if verbose not in (0, 1, 2):
        raise ArgumentError(
            f"fit: verbose is 0 (quiet), 1 (a bar and a line for each epoch), 2 (the "
            f"lines alone) or 'auto', got {verbose!r:.60}"
        )
    return [Progress(bar=verbose == 1)] if verbose else []
