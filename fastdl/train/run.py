"""The folder that a training run leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from fastdl import nn
from fastdl.errors import DataError
from fastdl.files import as_path, locked, read_json, write_text
from fastdl.typing import Json, StrPath


class RunFolder:
    """The files of one run; each is replaced as a whole or not at all.

    ``config.json`` (the settings), ``metrics.csv`` (one row per epoch, by `CSVLog`) and
    ``model.safetensors``, with the pictures of `fastdl.report` and, while the run
    lasts, ``checkpoint.safetensors`` and the one before. A user may put
    ``control.json`` there, see `ManualRate`. What is found out about a finished run
    goes into ``measures.json`` (see `fastdl.strategy.measure`), ``tags.json``
    (`fastdl.strategy.ErrorAnalysis`) and ``report.html`` (`fastdl.report.write_page`).

    Parameters
    ----------
    path : path
        The folder; made when the first file is written.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = as_path(path)
        self.config = self.path / "config.json"
        self.control = self.path / "control.json"
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.metrics = self.path / "metrics.csv"
        self.model = self.path / "model.safetensors"
        self.measures = self.path / "measures.json"
        self.report = self.path / "report.html"
        self.tags = self.path / "tags.json"

    def lock(
        self, purpose: str = "train", wait: float = 0.0
    ) -> AbstractContextManager[None]:
        """Keep other processes from doing the same in this folder, in a ``with`` block.

        Parameters
        ----------
        purpose : str
            What is being done; different purposes do not exclude each other.
        wait : float
            How many seconds to wait for another process.

        Raises
        ------
        DataError
            Another process is doing the same.
        """
        return locked(
            self.path / f".{purpose}.lock", f"is at '{purpose}' in {self.path}", wait
        )

    def write_config(self, config: Mapping[str, Json]) -> None:
        """Write the settings of the run."""
        write_text(self.config, json.dumps(config, indent=2) + "\n")

    def read_config(self) -> dict[str, Any]:
        """Return the settings.

        Raises
        ------
        DataError
            The folder is missing or is not of a run, or the file is damaged.
        """
        if not self.path.is_dir():
            what = ": it is a file" if self.path.is_file() else ""
            raise DataError(f"there is no run folder {self.path}{what}")
        if self.checkpoint.exists() and not self.config.is_file():
            raise DataError(
                f"the training in {self.path} was interrupted within its first epoch: "
                f"`fastdl train --resume` with the same options goes on with it"
            )
        if not self.config.is_file():
            raise DataError(
                f"{self.path} is no run folder: it has no {self.config.name}"
            )
        config = read_json(self.config)
        if not isinstance(config, dict):
            raise DataError(f"{self.config} is damaged: it holds no settings")
        return config

    def save_model(self, model: nn.Module) -> None:
        """Save the model, see `fastdl.save`."""
        nn.save(model, self.model)

    def load_model(self) -> nn.Module:
        """Load the model; it raises what `fastdl.load` raises."""
        return nn.load(self.final_model())

    def final_model(self) -> Path:
        """Return the path of the model; DataError if there is none yet."""
        if not self.model.is_file():
            raise DataError(
                f"no file {self.model}: the training has not come to its end; --resume "
                f"goes on with one that was interrupted"
            )
        return self.model
