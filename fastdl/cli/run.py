"""Opens the folder of a finished run."""

from __future__ import annotations

from pathlib import Path

from fastdl.errors import DataError
from fastdl.nn import Module
from fastdl.shapes import integer
from fastdl.train import RunFolder


def load_run(path: Path) -> tuple[Module, tuple[str, ...], tuple[int, int, int]]:
    """Return the model of a run, its classes, and the shape of one picture.

    Raises
    ------
    DataError
        The folder is no run, or a file is missing or damaged.
    """
    folder = RunFolder(path)
    config = folder.read_config()
    try:
        classes, shape = config["classes"], config["input_shape"]
        height, width, channels = (integer(size, "a size") for size in shape)
        if not (isinstance(classes, list) and all(isinstance(c, str) for c in classes)):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{folder.config} has no classes and input_shape; was it written by "
            f"`fastdl train`?"
        ) from None
    return folder.load_model(), tuple(classes), (height, width, channels)
