"""Pictures in folders, one folder for each class."""

from __future__ import annotations

import io
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from fastdl.data import ArrayDataset
from fastdl.datasets.splits import Splits
from fastdl.errors import DataError, FastdlError
from fastdl.files import read_file, reading
from fastdl.shapes import pair
from fastdl.typing import PairLike, StrPath

# A picture of this many pixels takes little memory, so any file may declare it. A
# larger one must have a file to match: 8 pixels a byte, deflated 1032 times, is the
# most that PNG can do.
_FEW_PIXELS = 2**24
_PIXELS_A_BYTE = 8 * 1032

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"))
# Only these: for some others Pillow would start external programs, whatever the suffix.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")


_PARTS = ("train", "dev", "test")
_NAMES = {"dev": ("dev", "val", "validation")}


class Picture(NamedTuple):
    """One picture of a data set; ``name`` is for messages and for sorting."""

    part: str
    label: str
    name: str
    pixels: np.ndarray


def image_folder(path: StrPath, size: PairLike | None = None) -> Splits:
    """Load the pictures of ``<path>/train/<class>/`` and ``<path>/test/<class>/``.

    And those of ``<path>/dev/<class>/``, if there are any; that folder may also be
    called ``val`` or ``validation``. Without a folder ``train``, all pictures of
    ``<path>/<class>/`` are the training set. Only files that end with .png, .jpg,
    .jpeg, .bmp, .gif or .webp are read.

    Parameters
    ----------
    path : path
        The folder. The classes are the sorted names of the innermost folders.
    size : int or (int, int), optional
        Height and width to which all pictures are resized. Without it they must all
        have the same size.

    Returns
    -------
    Splits
        x is uint8 (m, h, w, c), where c is 1 if every picture is grey, else 3; in
        the order of the sorted file names.

    Raises
    ------
    DataError
        When there is no picture or only one class; the folder of a class has files but
        no picture; a picture cannot be read; sizes differ; the dev or test set has a
        class that the training set lacks; or the name of a class is not in UTF-8 or
        has a control character.
    FastdlError
        When Pillow is missing.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"image_folder: there is no folder {root}")
    if size is not None:
        size = pair(size, "image_folder: size")
    if (root / "train").is_dir():
        files = [(part, file) for part in _PARTS for file in _files(_part(root, part))]
    else:
        files = [("train", file) for file in _files(root)]
    from tqdm import tqdm

    pictures = (
        Picture(part, file.parent.name, str(file), read_image(file, size))
        for part, file in tqdm(files, desc=root.name, unit=" images", disable=None)
    )
    return assemble(root.name, pictures)


def _part(root: Path, part: str) -> Path:
    """Return the folder of a part, whichever of its names it has here."""
    names = [name for name in _NAMES.get(part, (part,)) if (root / name).is_dir()]
    if len(names) > 1:
        raise DataError(
            f"image_folder: {root} has {' and '.join(names)}, which mean the same; "
            f"leave one of them"
        )
    return root / (names[0] if names else part)


def _files(folder: Path) -> Iterator[Path]:
    for label in filter(Path.is_dir, folder.glob("[!.]*")):
        files = [file for file in label.glob("[!.]*") if not file.is_dir()]
        pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
        if files and not pictures:
            raise DataError(
                f"image_folder: no picture in {label}; files that end with "
                f"{', '.join(sorted(SUFFIXES))} are read"
            )
        kinds = {unicodedata.category(letter) for letter in label.name}
        if kinds & {"Cc", "Cs"}:  # could control a terminal, or end a CSV row
            raise DataError(
                f"image_folder: the name of {str(label)!a} is not in UTF-8, or has a "
                f"control character; rename it"
            )
        yield from pictures


def read_image(
    file: StrPath | IO[bytes],
    size: tuple[int, int] | None = None,
    name: str | None = None,
    only: tuple[int, int] | None = None,
) -> np.ndarray:
    """Read one picture.

    Parameters
    ----------
    file : path or open file
        The picture.
    size : (int, int), optional
        Height and width to which it is resized (bicubic, with antialiasing).
    name : str, optional
        What messages call an open file.
    only : (int, int), optional
        Height and width that it must have.

    Returns
    -------
    ndarray of uint8, (h, w, c)
        c is 1 for a grey picture, else 3. Transparency is dropped.

    Raises
    ------
    DataError
        When it cannot be read, has more than 8 bits per value, does not have the height
        and width `only`, or has more pixels than a file of its length can hold or than
        ``PIL.Image.MAX_IMAGE_PIXELS`` allows, which limits `size` too.
    FastdlError
        When Pillow is missing.
    """
    name = name or str(file)
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise FastdlError(
            'reading pictures needs Pillow: pip install "fastdl-cpu[image]"'
        ) from None
    with reading(name, "as a picture"):
        content = _content(file)
        try:
            opened = Image.open(io.BytesIO(content), formats=_FORMATS)
        except UnidentifiedImageError:  # its message does not name the file
            raise DataError(
                f"{name} cannot be read as a picture: it is damaged, or none of "
                f"{', '.join(_FORMATS)}"
            ) from None
    with reading(name, "as a picture"), opened as image:
        # Before decoding: a small file may contain a very large picture.
        if only is not None and (image.height, image.width) != only:
            raise DataError(
                f"{name} has {(image.height, image.width)} pixels, expected {only}"
            )
        largest = Image.MAX_IMAGE_PIXELS or math.inf
        limit = min(max(_FEW_PIXELS, _PIXELS_A_BYTE * len(content)), largest)
        if image.height * image.width > limit or math.prod(size or ()) > largest:
            raise DataError(
                f"{name} is too large a picture: the length of its file and "
                f"PIL.Image.MAX_IMAGE_PIXELS allow {limit:,} pixels"
            )
        mode = image.mode
        pixels = image.convert("L" if mode in ("1", "L", "LA") else "RGB")
        if size is not None:
            pixels = pixels.resize(size[::-1], Image.Resampling.BICUBIC)
    if mode.startswith(("I", "F")):  # clipped by convert, not scaled
        raise DataError(f"{name} has more than 8 bits per value; make it 8-bit")
    return np.atleast_3d(np.asarray(pixels))


def _content(file: StrPath | IO[bytes]) -> bytes:
    """Read the whole file: on an open one, decoders read as much as it declares."""
    if isinstance(file, (str, os.PathLike)):
        return read_file(file)
    return file.read()


def assemble(name: str, pictures: Iterable[Picture]) -> Splits:
    """Make a data set from pictures of the parts train, dev and test, sorted by name.

    Raises
    ------
    DataError
        As in `image_folder`.
    """
    parts: dict[str, list[Picture]] = {part: [] for part in _PARTS}
    for picture in pictures:
        parts[picture.part].append(picture)
    if not parts["train"]:
        raise DataError(
            f"{name}: no training pictures; they belong in train/<class>/ or <class>/"
        )
    classes = tuple(sorted({picture.label for picture in parts["train"]}))
    first = parts["train"][0].pixels
    everything = [picture for part in _PARTS for picture in parts[part]]
    for picture in everything:
        if picture.label not in classes:
            raise DataError(f"{picture.name}: no training picture has this class")
        if picture.pixels.shape[:2] != first.shape[:2]:
            raise DataError(
                f"{picture.name} has {picture.pixels.shape[:2]} pixels, others have "
                f"{first.shape[:2]}; resize all with size="
            )
    channels = max(picture.pixels.shape[2] for picture in everything)
    train, dev, test = (
        _stack(parts[part], classes, channels) if parts[part] else None
        for part in _PARTS
    )
    assert train is not None
    return Splits(name, train, test, classes, dev)


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
