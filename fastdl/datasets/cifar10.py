"""CIFAR-10 (Krizhevsky 2009) as JPEG files in one archive."""

from __future__ import annotations

import hashlib
import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.data import ArrayDataset
from fastdl.datasets.files import DataFolder, cache_folder
from fastdl.datasets.images import SUFFIXES, Picture, assemble, read_image
from fastdl.datasets.npz import read_npz
from fastdl.datasets.splits import Splits
from fastdl.errors import DataError
from fastdl.files import replaced

if TYPE_CHECKING:
    import tarfile

_SHAPE = (32, 32, 3)
_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def load(folder: DataFolder) -> Splits:
    """Load CIFAR-10 from cifar10_images_jpg.tar.gz.

    Decoding takes seconds, so the arrays are kept in the user's cache folder, under
    the hash of the archive that they come from.
    """
    archive = folder.find("cifar10_images_jpg.tar.gz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    decoded = cache_folder() / folder.name / f"decoded-{digest[:16]}.npz"
    with suppress(DataError):  # not there yet, or damaged
        return Splits(folder.name, *read_npz(decoded, _SHAPE, len(_CLASSES)), _CLASSES)
    train, test = decode(archive, folder.name)
    try:
        _keep(train, test, decoded)
    except OSError as why:
        warnings.warn(
            f"{folder.name}: the decoded pictures could not be kept for the next "
            f"time: {why}",
            stacklevel=3,
        )
    return Splits(folder.name, train, test, _CLASSES)


def decode(archive: Path, name: str) -> tuple[ArrayDataset, ArrayDataset]:
    """Return train and test set from the pictures of an archive.

    Raises
    ------
    DataError
        When the archive is damaged, or does not hold train/<class>/ and
        test/<class>/ with RGB pictures of 32x32 in the ten classes.
    """
    import tarfile  # slow to import

    from tqdm import tqdm

    try:
        with tarfile.open(archive, "r:gz") as tar:
            pictures = tqdm(_pictures(tar), desc=name, unit=" images", disable=None)
            splits = assemble(name, pictures)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as why:
        raise DataError(f"{archive} cannot be read: {why}") from why
    if splits.test is None or splits.classes != _CLASSES:
        raise DataError(
            f"{archive} needs train/ and test/ with the classes {', '.join(_CLASSES)}; "
            f"has {', '.join(splits.classes)}{'' if splits.test else ' and no test/'}"
        )
    if splits.train.x.shape[1:] != _SHAPE:
        raise DataError(
            f"{archive}: pictures need to be {_SHAPE}, are {splits.train.x.shape[1:]}"
        )
    return splits.train, splits.test


def _pictures(tar: tarfile.TarFile) -> Iterator[Picture]:
    for member in tar:
        path = PurePosixPath(member.name)
        if len(path.parts) != 3 or path.suffix not in SUFFIXES:
            continue
        file = tar.extractfile(member)
        if path.parts[0] in ("train", "test") and file is not None:
            # A copy in memory: a decoder may seek, which is slow in a .gz file.
            pixels = read_image(io.BytesIO(file.read()), name=member.name)
            yield Picture(path.parts[0], path.parts[1], member.name, pixels)


def _keep(train: ArrayDataset, test: ArrayDataset, path: Path) -> None:
    arrays: dict[str, Any] = {}
    for part, dataset in (("train", train), ("test", test)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = dataset[:]
    with replaced(path) as file:
        np.savez(file, **arrays)
