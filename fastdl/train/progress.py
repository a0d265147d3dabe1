"""Progress on the terminal: a bar while an epoch runs, one line when it is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fastdl.train.callback import Callback, Step
from fastdl.train.history import describe

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


class Progress(Callback):
    """Writes to the standard error stream; the bar only when that is a terminal."""

    _bar: Any = None

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Note how much there is to do."""
        self._last = len(trainer.history) + epochs
        self._batches = batches

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Open the bar."""
        from tqdm import tqdm

        self._title = f"epoch {epoch:{len(str(self._last))}}/{self._last}"
        self._bar = tqdm(
            desc=self._title,
            total=self._batches,
            unit=" batches",
            leave=False,
            disable=None,  # quiet when not a terminal
        )

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Move the bar."""
        if not self._bar.disable:
            self._bar.set_postfix_str(f"loss {step.loss:.4f}", refresh=False)
            self._bar.update()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Put a line in the place of the bar."""
        self._bar.close()
        print(f"{self._title}  {describe(row)}", file=sys.stderr)

    def on_train_end(self, trainer: Trainer) -> None:
        """Remove a bar that an error or Ctrl-C left."""
        if self._bar is not None:
            self._bar.close()
