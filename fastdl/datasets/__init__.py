"""Real data sets by name, and folders of pictures."""

from fastdl import exports
from fastdl.datasets.catalogue import find as find
from fastdl.datasets.catalogue import load as load
from fastdl.datasets.catalogue import names as names
from fastdl.datasets.folder import image_folder as image_folder
from fastdl.datasets.lazy import PictureFiles as PictureFiles
from fastdl.datasets.splits import Splits as Splits

exports.publish(__name__)
