"""The folder that a training run leaves behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fastdl import nn
from fastdl.errors import DataError
from fastdl.nn.serialize import atomic_path


class RunFolder:
    """The files of one run; each is replaced as a whole or not at all.

    ``config.json`` (the settings), ``metrics.csv`` (one row an epoch, by `CSVLog`) and
    ``model.safetensors``; the pictures of `fastdl.report` stand beside them, and while
    the run lasts ``checkpoint.safetensors``. A user may put ``control.json`` there, see
    `ManualRate`.

    Parameters
    ----------
    path : path
        The folder; made by the first file that is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.control = self.path / "control.json"
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.metrics = self.path / "metrics.csv"
        self.model = self.path / "model.safetensors"

    def write_config(self, config: dict[str, Any]) -> None:
        """Keep the settings of the run, JSON-able data."""
        with atomic_path(self.config) as temporary:
            temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def read_config(self) -> dict[str, Any]:
        """Return the settings.

        Raises
        ------
        DataError
            The folder is missing or none of a run, or the file is damaged.
        """
        if not self.path.is_dir():
            raise DataError(f"there is no run folder {self.path}")
        try:
            config = json.loads(self.config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                f"{self.path} is no run folder: it has no {self.config.name}"
            ) from None
        except ValueError as error:
            raise DataError(f"{self.config} is damaged: {error}") from error
        if not isinstance(config, dict):
            raise DataError(f"{self.config} is damaged: it holds no settings")
        return config

    def save_model(self, model: nn.Module) -> None:
        """Save the model, see `fastdl.save`."""
        nn.save(model, self.model)

    def load_model(self) -> nn.Module:
        """Load the model; raises as `fastdl.load`."""
        return nn.load(self.model)
