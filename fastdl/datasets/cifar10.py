"""CIFAR-10 (Krizhevsky 2009) as JPEG files in one archive."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from fastdl.datasets.assemble import Picture, assemble
from fastdl.datasets.files import DataFolder, cache_folder, sha256_of
from fastdl.datasets.images import SUFFIXES, read_image
from fastdl.datasets.npz import read_npz
from fastdl.datasets.splits import Part, Splits
from fastdl.errors import DataError
from fastdl.files import reading, replaced
from fastdl.progress import progress_bar

if TYPE_CHECKING:
    import tarfile

_SHAPE = (32, 32, 3)
_MOST_PICTURES = 60_000
_LARGEST_MEMBER = 2**20  # bytes
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
    the hash of the archive they come from.
    """
    archive = folder.find("cifar10_images_jpg.tar.gz")
    with open(archive, "rb") as file:
        digest = sha256_of(file)
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


def decode(archive: Path, name: str) -> tuple[Part, Part]:
    """Make the training and test set from the pictures in an archive.

    Raises
    ------
    DataError
        When the archive is damaged, or does not consist of train/<class>/ and
        test/<class>/ with RGB pictures of 32x32 in the ten classes.
    """
    with reading(archive):
        pictures = progress_bar(_pictures(archive), desc=name, unit=" images")
        splits = assemble(name, pictures)
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


def _pictures(archive: Path) -> Iterator[Picture]:
    import tarfile  # slow to import

    count = 0
    # Pictures hardly deflate; an archive that inflates a lot contains something else.
    limit = 64 * archive.stat().st_size + _LARGEST_MEMBER
    with gzip.open(archive) as inflated:
        source: Any = _Bounded(inflated, limit)
        with tarfile.open(fileobj=source, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # or it would keep them all
                source.renew()
                if not _is_picture(member):
                    continue
                count += 1
                if count > _MOST_PICTURES:
                    raise ValueError(f"it has more than {_MOST_PICTURES} pictures")
                name = f"{archive}: {member.name}"
                if member.size > _LARGEST_MEMBER:  # sparse: larger than what is stored
                    raise DataError(f"{name} has more than {_LARGEST_MEMBER} bytes")
                file = cast(IO[bytes], tar.extractfile(member))
                pixels = read_image(file, name=name, only=_SHAPE[:2])
                part, label, _ = PurePosixPath(member.name).parts
                yield Picture(part, label, member.name, pixels)


def _is_picture(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return (
        member.isreg()
        and len(path.parts) == 3
        and path.parts[0] in ("train", "test")
        and path.suffix in SUFFIXES
    )


class _Bounded:
    """An inflated archive with limits on what is read, in total and for each member.

    tarfile reads names and maps of sparse files at any length the archive declares.
    """

    def __init__(self, file: gzip.GzipFile, limit: int) -> None:
        self._file, self._limit = file, limit
        self.tell = file.tell
        self.renew()

    def renew(self) -> None:
        """Begin a member."""
        self._left = 2 * _LARGEST_MEMBER

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        self._left -= size
        if size < 0 or self._left < 0:
            raise ValueError(f"a member is larger than {_LARGEST_MEMBER} bytes")
        self._check(self.tell() + size)
        return self._file.read(size)

    def seek(self, place: int) -> int:
        """Go to a place."""
        self._check(place)
        return self._file.seek(place)

    def _check(self, place: int) -> None:
        if place > self._limit:
            raise ValueError(f"it inflates to more than {self._limit} bytes")


def _keep(train: Part, test: Part, path: Path) -> None:
    arrays: dict[str, Any] = {}
    for part, dataset in (("train", train), ("test", test)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = dataset[:]
    with replaced(path) as file:
        np.savez(file, **arrays)
