"""The training loop, what watches it, and what a run leaves behind."""

from fastdl.train.average import WeightAverage
from fastdl.train.best import EarlyStopping, ModelCheckpoint, ReduceOnPlateau
from fastdl.train.callback import Callback, Step
from fastdl.train.finished import FinishedRun, open_run
from fastdl.train.gradcheck import (
    GradientCheck,
    ParameterCheck,
    gradcheck,
    numeric_gradient,
)
from fastdl.train.gradients import GradientMonitor
from fastdl.train.history import History
from fastdl.train.job import Job, Parts
from fastdl.train.logs import CSVLog, JSONLog, LearningRateLog, Timing
from fastdl.train.progress import Progress
from fastdl.train.range_test import RangeTest, lr_range_test
from fastdl.train.recipes import OPTIMIZERS, RECIPES, SCHEDULES, Recipe, recipe
from fastdl.train.run import RunFolder
from fastdl.train.schedule import ManualRate, Schedule
from fastdl.train.tensorboard import TensorBoardLog
from fastdl.train.trainer import Trainer

__all__ = [
    "OPTIMIZERS",
    "RECIPES",
    "SCHEDULES",
    "CSVLog",
    "Callback",
    "EarlyStopping",
    "FinishedRun",
    "GradientCheck",
    "GradientMonitor",
    "History",
    "JSONLog",
    "Job",
    "LearningRateLog",
    "ManualRate",
    "ModelCheckpoint",
    "ParameterCheck",
    "Parts",
    "Progress",
    "RangeTest",
    "Recipe",
    "ReduceOnPlateau",
    "RunFolder",
    "Schedule",
    "Step",
    "TensorBoardLog",
    "Timing",
    "Trainer",
    "WeightAverage",
    "gradcheck",
    "lr_range_test",
    "numeric_gradient",
    "open_run",
    "recipe",
]
