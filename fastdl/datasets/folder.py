"""Folders of pictures, with a folder for each class."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from fastdl.data import Subset
from fastdl.datasets.assemble import (
    PARTS,
    Picture,
    assemble,
    no_training_pictures,
    not_in_training,
)
from fastdl.datasets.files import cache_folder
from fastdl.datasets.images import SUFFIXES, check_size, picture_shape, read_image
from fastdl.datasets.lazy import PictureFiles
from fastdl.datasets.splits import Splits
from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import as_path, naming
from fastdl.progress import progress_bar
from fastdl.shapes import pair
from fastdl.typing import PairLike, StrPath

# A part of the data may have a folder of another name.
_ERRORS = ("raise", "skip")
_SHOWN = 5  # broken pictures named in the warning
_NAMES = {"dev": ("dev", "val", "validation")}


def image_folder(
    path: StrPath,
    size: PairLike | None = None,
    lazy: bool = False,
    cache: StrPath | Literal[False] | None = None,
    errors: Literal["raise", "skip"] = "raise",
) -> Splits:
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
    lazy : bool
        Whether to decode the pictures not now but when they are used, for folders that
        are larger than the memory. See `fastdl.datasets.PictureFiles`.
    cache : path or False, optional
        With `lazy`: the folder where decoded pictures are kept for the next time they
        are used, which takes h * w * c bytes a picture; False for nowhere. By default
        it is in the user's cache folder. It may be deleted at any time.
    errors : {"raise", "skip"}
        "skip" leaves out the pictures that cannot be read. A warning counts them, and
        `Splits.skipped` names them all. With `lazy` each picture is decoded now.

    Returns
    -------
    Splits
        x is uint8 (m, h, w, c), where c is 1 if every picture is grey, else 3; in
        the order of the sorted file names. With `lazy` the parts are `PictureFiles`.

    Raises
    ------
    DataError
        When there is no picture or only one class; the folder of a class has files but
        no picture; a picture cannot be read; sizes differ; the dev or test set has a
        class that the training set lacks; or the name of a class is not in UTF-8 or
        has a control character. With `lazy`, what needs a picture decoded is found
        when it is used. With ``errors="skip"`` none is left of a class.
    ArgumentError
        `errors` is another word.
    FastdlError
        When Pillow is missing.
    """
    if errors not in _ERRORS:
        raise ArgumentError(
            f"image_folder: errors must be 'raise' or 'skip', got {errors!r}"
            f"{suggest(str(errors), _ERRORS)}"
        )
    root = as_path(path)
    if not root.is_dir():
        what = ": it is a file" if root.is_file() else ""
        raise DataError(f"image_folder: there is no folder {root}{what}")
    if size is not None:
        size = pair(size, "image_folder: size")
        with naming("image_folder"):
            check_size(size)
    if (root / "train").is_dir():
        files = [(part, file) for part in PARTS for file in _files(_part(root, part))]
    else:
        files = [("train", file) for file in _files(root)]
    skipped: dict[str, str] | None = {} if errors == "skip" else None
    make = partial(_lazy_splits, cache=cache) if lazy else _splits
    splits = make(root, files, size, skipped)
    if not skipped:
        return splits
    skipped = dict(sorted(skipped.items()))
    several = list(skipped.values())
    shown = "".join(f"\n  {message}" for message in several[:_SHOWN])
    if len(several) > _SHOWN:
        shown += f"\n  and {len(several) - _SHOWN:,} more; .skipped names all"
    warnings.warn(
        f"image_folder: {len(several):,} of {len(files):,} pictures cannot be read and "
        f"are left out:{shown}",
        stacklevel=2,
    )
    return splits._replace(skipped=skipped)


def _splits(
    root: Path,
    files: list[tuple[str, Path]],
    size: tuple[int, int] | None,
    skipped: dict[str, str] | None,
) -> Splits:
    """Decode all pictures; note in `skipped`, if there is one, what cannot be read."""

    def pictures() -> Iterator[Picture]:
        for part, file in progress_bar(files, desc=root.name, unit=" images"):
            with _skipping(file, skipped):
                pixels = read_image(file, size)
                yield Picture(part, file.parent.name, str(file), pixels)
        _check_classes(files, skipped)

    return assemble(root.name, pictures())


@contextmanager
def _skipping(file: Path, skipped: dict[str, str] | None) -> Iterator[None]:
    """Note in `skipped`, if there is one, that a picture cannot be read, and why."""
    try:
        yield
    except DataError as error:
        if skipped is None:
            raise
        skipped[str(file)] = str(error)


def _check_classes(
    files: list[tuple[str, Path]], skipped: dict[str, str] | None
) -> None:
    """Raise DataError if nothing of a class can be read."""
    train = [file for part, file in files if part == "train"]
    left = {file.parent.name for file in train if str(file) not in (skipped or ())}
    for file in train:
        if file.parent.name not in left:
            raise DataError(
                f"image_folder: of the class {file.parent.name!r} no training picture "
                f"can be read"
            )


def _lazy_splits(
    root: Path,
    files: list[tuple[str, Path]],
    size: tuple[int, int] | None,
    skipped: dict[str, str] | None,
    cache: StrPath | Literal[False] | None,
) -> Splits:
    """Make a data set of files in its parts, which are not decoded yet."""
    if skipped is not None:
        for _, file in files:
            with _skipping(file, skipped):
                picture_shape(file)
        _check_classes(files, skipped)
        files = [(part, file) for part, file in files if str(file) not in skipped]
    parts = {
        part: sorted((file for where, file in files if where == part), key=str)
        for part in PARTS
    }
    if not parts["train"]:
        raise no_training_pictures(root.name)
    classes = tuple(sorted({file.parent.name for file in parts["train"]}))
    numbers = {name: number for number, name in enumerate(classes)}
    for _, file in files:
        if file.parent.name not in numbers:
            raise not_in_training(str(file))
    height, width, channels = picture_shape(parts["train"][0])
    if channels == 1 and any(picture_shape(file)[2] == 3 for _, file in files):
        channels = 3
    shape = (*(size or (height, width)), channels)
    if cache is None:
        place = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
        cache = cache_folder() / "pictures" / f"{root.resolve().name}-{place}"

    def part(name: str) -> PictureFiles | Subset | None:
        if not parts[name]:
            return None
        y = np.array([numbers[file.parent.name] for file in parts[name]], np.int64)
        kept = None if cache is False else Path(cache, name)
        whole = PictureFiles(parts[name], y, shape, size is not None, kept)
        if skipped is None or not (broken := whole.broken()):
            return whole
        skipped.update((whole.files[index], why) for index, why in broken.items())
        return Subset(whole, np.delete(np.arange(len(whole)), list(broken)))

    train = part("train")
    assert train is not None
    _check_classes(files, skipped)
    return Splits(root.name, train, part("test"), classes, part("dev"))


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
