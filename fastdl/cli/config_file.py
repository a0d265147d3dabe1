"""config.json of a run: its settings, its data, and what computed."""

from __future__ import annotations

from pathlib import Path

import fastdl
from fastdl import backend
from fastdl.files import check_writable
from fastdl.train import Callback, Job, Parts, RunFolder, Trainer
from fastdl.typing import Json


class ConfigFile(Callback):
    """Writes config.json after the first epoch, when there is something to keep.

    Until then the files of an earlier run stay. Its model and its report are removed
    with its settings, as they would be taken for those of this run.
    """

    first_rank_only = True

    def __init__(self, folder: RunFolder, job: Job, parts: Parts) -> None:
        self._folder = folder
        self._settings: dict[str, Json] = {
            "fastdl": fastdl.__version__,
            **job.to_dict(),
            "classes": list(parts.classes),
            "input_shape": list(parts.input_shape),
            "backend": backend.name,
            "threads": fastdl.get_num_threads(),
            "machine": fastdl.info(),
        }
        self._written = False

    def decides(self) -> None:
        """Nothing: it only writes."""

    def writes(self) -> list[Path]:
        """Return the files of the settings and of the final model."""
        return [self._folder.config, self._folder.model]

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Raise OSError unless the files can be written."""
        for path in self.writes():
            check_writable(path)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Write the file."""
        if not self._written:
            self._folder.write_config(self._settings)
            for path in (self._folder.model, self._folder.report):
                path.unlink(missing_ok=True)
            self._written = True
