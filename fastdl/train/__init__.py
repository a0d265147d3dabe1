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
from fastdl.train.range_test import RangeTest, lr_range_test
from fastdl.train.recipes import OPTIMIZERS, RECIPES, Recipe, recipe
from fastdl.train.run import RunFolder
from fastdl.train.schedule import ManualRate, Schedule
from fastdl.train.trainer import Trainer

__all__ = [
    "OPTIMIZERS",
    "RECIPES",
    "CSVLog",
    "Callback",
    "GradientCheck",
    "History",
    "ManualRate",
    "ParameterCheck",
    "Progress",
    "RangeTest",
    "Recipe",
    "RunFolder",
    "Schedule",
    "Step",
    "Trainer",
    "gradcheck",
    "lr_range_test",
    "numeric_gradient",
    "recipe",
]
