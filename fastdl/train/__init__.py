"""The training loop, what watches it, and what a run leaves behind."""

from fastdl.train.callback import Callback, CSVLog, Step
from fastdl.train.gradcheck import (
    GradientCheck,
    ParameterCheck,
    gradcheck,
    numeric_gradient,
)
from fastdl.train.history import History
from fastdl.train.progress import Progress
from fastdl.train.recipes import OPTIMIZERS, RECIPES, Recipe, recipe
from fastdl.train.run import RunFolder
from fastdl.train.schedule import Schedule, cosine
from fastdl.train.trainer import Trainer

__all__ = [
    "OPTIMIZERS",
    "RECIPES",
    "CSVLog",
    "Callback",
    "GradientCheck",
    "History",
    "ParameterCheck",
    "Progress",
    "Recipe",
    "RunFolder",
    "Schedule",
    "Step",
    "Trainer",
    "cosine",
    "gradcheck",
    "numeric_gradient",
    "recipe",
]
