"""A finished run, opened again."""

from __future__ import annotations

import os
from functools import cached_property

import numpy as np

from fastdl import functional as F
from fastdl import nn
from fastdl.data import Subset
from fastdl.errors import DataError, FastdlError
from fastdl.files import naming
from fastdl.progress import progress_bar
from fastdl.shapes import integer
from fastdl.train.history import History
from fastdl.train.job import Job, Parts
from fastdl.train.run import RunFolder
from fastdl.train.trainer import Trainer
from fastdl.typing import StrPath

_PIECE = 4096  # examples for one step of the bar


class SavedModel:
    """A trained classifier of pictures, in a file of its own; made by `open_model`.

    Attributes
    ----------
    model : Module
        With its final weights.
    classes : tuple of str
        The name of each label.
    input_shape : (int, int, int)
        Of one picture: height, width, channels.
    """

    def __init__(self, path: StrPath) -> None:
        self.model = nn.load(path)
        self._set_use(
            self.model.class_names,
            self.model.input_shape,
            f"{path} has no class_names and input_shape; set model.class_names and "
            f"call build before it is saved",
        )

    def _set_use(self, classes: object, shape: object, missing: str) -> None:
        """Set `classes` and `input_shape`; DataError if they are of another kind."""
        try:
            height, width, channels = (integer(size, "a size") for size in shape)  # type: ignore[attr-defined]
            if not (
                isinstance(classes, (list, tuple))
                and all(isinstance(name, str) for name in classes)
            ):
                raise TypeError
        except (TypeError, ValueError):
            raise DataError(missing) from None
        self.classes = tuple(classes)
        self.input_shape = (height, width, channels)

    @cached_property
    def trainer(self) -> Trainer:
        """Evaluates the model, by cross-entropy and accuracy, and predicts."""
        return Trainer(self.model)


class FinishedRun(SavedModel):
    """What `fastdl train` left behind; made by `open_run`.

    Attributes
    ----------
    folder : RunFolder
    config : dict
        The settings, as in the file.
    model, classes, input_shape
        As in `SavedModel`.
    """

    def __init__(
        self,
        path: StrPath,
        data_dir: StrPath | None = None,
    ) -> None:
        self.folder = RunFolder(path)
        self.config = self.folder.read_config()
        self._data_dir = data_dir
        self._set_use(
            self.config.get("classes"),
            self.config.get("input_shape"),
            f"{self.folder.config} has no classes and input_shape; was it written by "
            f"`fastdl train`?",
        )
        self.model = self.folder.load_model()
        self._outputs: dict[str, np.ndarray] = {}

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.folder.path.resolve().name

    @cached_property
    def job(self) -> Job:
        """The job that was run; DataError if config.json does not describe one."""
        try:
            with naming(self.folder.config):
                job = Job.from_dict(self.config)
        except FastdlError as error:
            raise DataError(str(error)) from None
        return (
            job if self._data_dir is None else job.replace(data_dir=str(self._data_dir))
        )

    @cached_property
    def parts(self) -> Parts:
        """The data of the training, loaded on first use.

        Raises
        ------
        DataError
            They are gone, or have changed; or an older version made the run, which did
            not record the folder of its pictures.
        """
        try:
            parts = self.job.load()
        except FastdlError as error:
            moved = (
                f'; if it was moved, change "dataset" in {self.folder.config}'
                if os.path.isabs(str(self.config.get("dataset")))
                else ""
            )
            raise DataError(
                f"the data of the run {self.folder.path} cannot be loaded: {error}"
                f"{moved}"
            ) from None
        if (parts.classes, parts.input_shape) != (self.classes, self.input_shape):
            raise DataError(
                f"{parts.name} has {len(parts.classes)} classes and pictures of "
                f"{parts.input_shape}, but the run {self.folder.path} was trained with "
                f"{len(self.classes)} classes and {self.input_shape}; are these the "
                f"same data?"
            )
        return parts

    def outputs(self, part: str) -> np.ndarray:
        """Return the outputs of the model for a part of the data, such as "test".

        They are computed once.
        """
        if part not in self._outputs:
            data = getattr(self.parts, part)
            starts = range(0, len(data), _PIECE)
            bar = progress_bar(starts, "asking the network", leave=False)
            self._outputs[part] = np.concatenate(
                [
                    self.trainer.predict(Subset(data, slice(start, start + _PIECE)))
                    for start in bar
                ]
            )
        return self._outputs[part]

    def answers(self, part: str) -> np.ndarray:
        """Return the probabilities of the classes for a part of the data."""
        return F.softmax(self.outputs(part)).numpy()

    @cached_property
    def history(self) -> History:
        """The measurements of each epoch; empty if metrics.csv is missing."""
        if not self.folder.metrics.exists():
            return History()
        return History.read_csv(self.folder.metrics)


def open_run(path: StrPath, data_dir: StrPath | None = None) -> FinishedRun:
    """Open the folder of a finished run.

    Parameters
    ----------
    path : path
        The folder that `fastdl train` wrote.
    data_dir : path, optional
        Where the data are now, see `Job`; by default where they were then.

    Raises
    ------
    DataError
        It is not a run, or a file is missing or damaged.
    """
    return FinishedRun(path, data_dir)


def open_model(path: StrPath, data_dir: StrPath | None = None) -> SavedModel:
    """Open a trained classifier: a run folder, see `open_run`, or a file of one.

    Such a file is written by `fastdl.save` when the model was built and has
    ``class_names``, as ``model.safetensors`` of a run.

    Raises
    ------
    DataError
        It is neither of them, or is damaged.
    """
    if os.path.isfile(path):
        return SavedModel(path)
    if not os.path.isdir(path):
        raise DataError(f"there is no file and no run folder {path}")
    return open_run(path, data_dir)
