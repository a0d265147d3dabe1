"""From arrays to mini-batches: data sets in memory, splits, and the loader."""

from fastdl.data.augment import Augment
from fastdl.data.concat import Concat
from fastdl.data.dataset import ArrayDataset, DataLike, Dataset, Subset, as_dataset
from fastdl.data.folds import folds
from fastdl.data.loader import DataLoader
from fastdl.data.mapped import MapDataset
from fastdl.data.mixup import Mixup
from fastdl.data.pictures import as_float
from fastdl.data.seeds import uniform
from fastdl.data.split import split

__all__ = [
    "ArrayDataset",
    "Augment",
    "Concat",
    "DataLike",
    "DataLoader",
    "Dataset",
    "MapDataset",
    "Mixup",
    "Subset",
    "as_dataset",
    "as_float",
    "folds",
    "split",
    "uniform",
]
