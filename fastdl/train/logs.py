"""Callbacks that record how a training goes, or measure more about it."""

from __future__ import annotations

import json
import math
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.files import as_path, check_writable, write_text
from fastdl.train.callback import Callback, Step
from fastdl.train.state import number, numbers
from fastdl.typing import StrPath

if TYPE_CHECKING:
    from fastdl.train.trainer import Trainer


class CSVLog(Callback):
    """Keeps a CSV file with one row for each epoch of ``trainer.history``.

    The file is replaced as a whole after each epoch, so it is complete at any time.

    Parameters
    ----------
    path : path
        The file; an existing one is replaced.

    Raises
    ------
    OSError
        In ``fit``, before the first step: the file cannot be written.
    """

    first_rank_only = True

    def __init__(self, path: StrPath) -> None:
        self.path = as_path(path)

    def decides(self) -> None:
        """Nothing: it only watches."""

    def writes(self) -> list[Path]:
        """Return its file."""
        return [self.path]

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Raise OSError unless the file can be written."""
        check_writable(self.path)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Write the file."""
        trainer.history.write_csv(self.path)


class JSONLog(Callback):
    """Keeps a file with one line of JSON for each epoch of ``trainer.history``.

    NaN and infinity, which JSON lacks, become null. The file is replaced as a whole
    after each epoch.

    Parameters
    ----------
    path : path
        The file, such as ``log.jsonl``; an existing one is replaced.

    Raises
    ------
    OSError
        In ``fit``, before the first step: the file cannot be written.
    """

    first_rank_only = True

    def __init__(self, path: StrPath) -> None:
        self.path = as_path(path)

    def decides(self) -> None:
        """Nothing: it only watches."""

    def writes(self) -> list[Path]:
        """Return its file."""
        return [self.path]

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Raise OSError unless the file can be written."""
        check_writable(self.path)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Write the file."""
        lines = []
        for measured in trainer.history.rows:
            known = {k: v if math.isfinite(v) else None for k, v in measured.items()}
            lines.append(json.dumps(known) + "\n")
        write_text(self.path, "".join(lines))


class LearningRateLog(Callback):
    """Adds "learning_rate" to ``trainer.history``: the rate of an epoch's last step.

    It is the rate of the first parameter group. List it before a `Schedule` and before
    logs.
    """

    _rate = math.nan

    def decides(self) -> None:
        """Nothing: it only watches."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Note the rate, in case that it goes on with an epoch at its end."""
        self._rate = trainer.optimizer.param_groups[0]["lr"]

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Note the rate."""
        self._rate = trainer.optimizer.param_groups[0]["lr"]

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Add it to the row."""
        row["learning_rate"] = self._rate

    def state_dict(self) -> dict[str, Any]:
        """Return the rate, for an epoch whose steps are all made."""
        return {"rate": self._rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        if "rate" in state:  # not in files of earlier versions
            self._rate = number(state, "rate")


class Timing(Callback):
    """Adds times to ``trainer.history``.

    "step_ms" is the median time of a step in the epoch, including the wait for the
    batch; "total_seconds" is the time since ``fit`` began, including validation. List
    it before logs.
    """

    def decides(self) -> None:
        """Nothing: it only watches."""

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Start the clock."""
        self._start = time.perf_counter()
        self._steps: list[float] = []

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Start the clock of the first step."""
        self._steps = []
        self._last = time.perf_counter()

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Stop the clock of a step."""
        now = time.perf_counter()
        self._steps.append(now - self._last)
        self._last = now

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Add the times to the row."""
        row["step_ms"] = 1e3 * statistics.median(self._steps or [math.nan])
        row["total_seconds"] = time.perf_counter() - self._start

    def state_dict(self) -> dict[str, Any]:
        """Return the times of the steps of this epoch."""
        return {"steps": np.array(self._steps)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; the time between is not counted."""
        self._steps = numbers(state, "steps")
        self._last = time.perf_counter()
