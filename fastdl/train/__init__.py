"""The training loop, and what watches it."""

from fastdl.train.callback import Callback, CSVLog, Step
from fastdl.train.history import History
from fastdl.train.progress import Progress
from fastdl.train.schedule import Schedule, cosine
from fastdl.train.trainer import Trainer

__all__ = [
    "CSVLog",
    "Callback",
    "History",
    "Progress",
    "Schedule",
    "Step",
    "Trainer",
    "cosine",
]
