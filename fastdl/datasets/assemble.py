"""Many pictures of one size as a data set in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from fastdl.data import ArrayDataset
from fastdl.datasets.images import other_size
from fastdl.datasets.splits import Splits
from fastdl.errors import DataError

PARTS = ("train", "dev", "test")


class Picture(NamedTuple):
    """One picture of a data set; ``name`` is for messages and for sorting."""

    part: str
    label: str
    name: str
    pixels: np.ndarray


def assemble(name: str, pictures: Iterable[Picture]) -> Splits:
    """Make a data set from pictures of the parts train, dev and test, sorted by name.

    Raises
    ------
    DataError
        As in `image_folder`.
    """
    parts: dict[str, list[Picture]] = {part: [] for part in PARTS}
    for picture in pictures:
        parts[picture.part].append(picture)
    if not parts["train"]:
        raise no_training_pictures(name)
    classes = tuple(sorted({picture.label for picture in parts["train"]}))
    first = parts["train"][0].pixels
    everything = [picture for part in PARTS for picture in parts[part]]
    for picture in everything:
        if picture.label not in classes:
            raise not_in_training(picture.name)
        if picture.pixels.shape[:2] != first.shape[:2]:
            raise other_size(picture.name, picture.pixels.shape, first.shape)
    channels = max(picture.pixels.shape[2] for picture in everything)
    train, dev, test = (
        _stack(parts[part], classes, channels) if parts[part] else None
        for part in PARTS
    )
    assert train is not None
    return Splits(name, train, test, classes, dev)


def no_training_pictures(name: str) -> DataError:
    """Return the error about a folder without any."""
    return DataError(
        f"{name}: no training pictures; they belong in train/<class>/ or <class>/"
    )


def not_in_training(name: str) -> DataError:
    """Return the error about a picture of an unknown class."""
    return DataError(f"{name}: no training picture has this class")


def _stack(
    pictures: list[Picture], classes: tuple[str, ...], channels: int
) -> ArrayDataset:
    pictures = sorted(pictures, key=lambda picture: picture.name)
    x = np.empty((len(pictures), *pictures[0].pixels.shape[:2], channels), np.uint8)
    for row, picture in zip(x, pictures, strict=True):
        row[:] = picture.pixels  # a grey picture among coloured ones fills all three
    number = {label: number for number, label in enumerate(classes)}
    y = np.array([number[picture.label] for picture in pictures], np.int64)
    return ArrayDataset(x, y)
