"""From arrays to mini-batches: data sets in memory, splits, and the loader."""

from fastdl import exports
from fastdl.data.augment import Augment as Augment
from fastdl.data.concat import Concat as Concat
from fastdl.data.dataset import ArrayDataset as ArrayDataset
from fastdl.data.dataset import DataLike as DataLike
from fastdl.data.dataset import Dataset as Dataset
from fastdl.data.dataset import SparseRows as SparseRows
from fastdl.data.dataset import Subset as Subset
from fastdl.data.dataset import as_dataset as as_dataset
from fastdl.data.folds import folds as folds
from fastdl.data.loader import DataLoader as DataLoader
from fastdl.data.mapped import MapDataset as MapDataset
from fastdl.data.mixup import Mixup as Mixup
from fastdl.data.pictures import as_float as as_float
from fastdl.data.samplers import RandomSampler as RandomSampler
from fastdl.data.samplers import SequentialSampler as SequentialSampler
from fastdl.data.samplers import SubsetRandomSampler as SubsetRandomSampler
from fastdl.data.samplers import WeightedRandomSampler as WeightedRandomSampler
from fastdl.data.seeds import uniform as uniform
from fastdl.data.split import random_split as random_split
from fastdl.data.split import split as split
from fastdl.data.table import TableEncoder as TableEncoder
from fastdl.data.turns import InTurn as InTurn

exports.publish(__name__)
