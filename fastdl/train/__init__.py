"""The training loop, what watches it, and what a run leaves behind."""

from fastdl import exports
from fastdl.train.average import WeightAverage as WeightAverage
from fastdl.train.best import EarlyStopping as EarlyStopping
from fastdl.train.best import ModelCheckpoint as ModelCheckpoint
from fastdl.train.best import ReduceOnPlateau as ReduceOnPlateau
from fastdl.train.callback import Callback as Callback
from fastdl.train.callback import Step as Step
from fastdl.train.finished import FinishedRun as FinishedRun
from fastdl.train.finished import SavedModel as SavedModel
from fastdl.train.finished import open_model as open_model
from fastdl.train.finished import open_run as open_run
from fastdl.train.gradcheck import GradientCheck as GradientCheck
from fastdl.train.gradcheck import ParameterCheck as ParameterCheck
from fastdl.train.gradcheck import gradcheck as gradcheck
from fastdl.train.gradcheck import numeric_gradient as numeric_gradient
from fastdl.train.gradcheck import relative_difference as relative_difference
from fastdl.train.gradients import GradientMonitor as GradientMonitor
from fastdl.train.history import History as History
from fastdl.train.job import Job as Job
from fastdl.train.job import Parts as Parts
from fastdl.train.logs import CSVLog as CSVLog
from fastdl.train.logs import JSONLog as JSONLog
from fastdl.train.logs import LearningRateLog as LearningRateLog
from fastdl.train.logs import Timing as Timing
from fastdl.train.optimizers import OPTIMIZERS as OPTIMIZERS
from fastdl.train.pretrained import Pretrained as Pretrained
from fastdl.train.progress import Progress as Progress
from fastdl.train.range_test import RangeTest as RangeTest
from fastdl.train.range_test import lr_range_test as lr_range_test
from fastdl.train.recipe_files import RECIPE_FILES as RECIPE_FILES
from fastdl.train.recipe_files import RECIPES as RECIPES
from fastdl.train.recipe_files import Reached as Reached
from fastdl.train.recipe_files import RecipeFile as RecipeFile
from fastdl.train.recipe_files import read_recipe as read_recipe
from fastdl.train.recipe_files import recipe as recipe
from fastdl.train.recipes import Recipe as Recipe
from fastdl.train.run import RunFolder as RunFolder
from fastdl.train.schedule import SCHEDULES as SCHEDULES
from fastdl.train.schedule import ManualRate as ManualRate
from fastdl.train.schedule import Schedule as Schedule
from fastdl.train.tensorboard import TensorBoardLog as TensorBoardLog
from fastdl.train.trainer import Trainer as Trainer
from fastdl.train.trunk import FrozenTrunk as FrozenTrunk
from fastdl.train.unfreezing import GradualUnfreezing as GradualUnfreezing

exports.publish(__name__)
