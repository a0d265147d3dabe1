"""MNIST and Fashion-MNIST: idx files.

An idx file has a big-endian header, then the values. The header is two zero bytes, the
type (8 for uint8), the number of axes, and the size of each axis as a 32-bit integer.
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from fastdl.datasets.files import DataFolder
from fastdl.datasets.splits import Splits, labelled
from fastdl.errors import DataError
from fastdl.files import inflated_limit, read_into, reading

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION_MNIST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
# SHA-256 of the inflated files: train images, train labels, test images, test labels.
_MNIST_SHA256 = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_FASHION_MNIST_SHA256 = (
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_mnist(folder: DataFolder) -> Splits:
    """Load MNIST (LeCun, Cortes & Burges): handwritten digits."""
    return _load(folder, _MNIST, _MNIST_SHA256, _DIGITS)


def load_fashion_mnist(folder: DataFolder) -> Splits:
    """Load Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): ten kinds of clothing."""
    return _load(folder, _FASHION_MNIST, _FASHION_MNIST_SHA256, _CLOTHES)


def _load(
    folder: DataFolder, url: str, sha256: tuple[str, ...], classes: tuple[str, ...]
) -> Splits:
    hashes = iter(sha256)
    parts = []
    for part in ("train", "t10k"):
        paths = [
            folder.find(file, url + file, next(hashes))
            for file in (f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz")
        ]
        x, y = read_idx(paths[0], axes=3), read_idx(paths[1], axes=1)
        parts.append(labelled(x[..., np.newaxis], y, len(classes), paths[1]))
    return Splits(folder.name, parts[0], parts[1], classes)


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read a gzip-compressed idx file of uint8.

    Parameters
    ----------
    path : Path
        The file.
    axes : int
        The number of axes that it must have.

    Returns
    -------
    ndarray of uint8
        Read-only.

    Raises
    ------
    DataError
        When the file is something else, or has too few or too many bytes.
    """
    with reading(path), gzip.open(path) as file:
        magic = file.read(4)
        if magic != bytes((0, 0, 8, axes)):
            raise DataError(
                f"{path} is no idx file of uint8 with {axes} axes: it begins with "
                f"{magic.hex(' ') or 'nothing'}"
            )
        header = file.read(4 * axes)
        if len(header) < 4 * axes:
            raise DataError(f"{path} is cut off in its header")
        shape = struct.unpack(f">{axes}I", header)
        size = math.prod(shape)
        if size > inflated_limit(path):
            raise DataError(
                f"{path} should hold {shape} = {size} bytes, but is too short for it"
            )
        values = np.empty(shape, np.uint8)
        came = read_into(file, values)
        if came < size or file.read(1):
            raise DataError(
                f"{path} should hold {shape} = {size} bytes, but has "
                f"{'more' if came == size else came}"
            )
    values.flags.writeable = False
    return values
