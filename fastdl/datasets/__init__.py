"""Real data sets by name, and folders of pictures."""

from fastdl.datasets.catalogue import find, load, names
from fastdl.datasets.images import image_folder
from fastdl.datasets.splits import Splits

__all__ = ["Splits", "find", "image_folder", "load", "names"]
