"""What several commands need: values of options, and data sets by name or folder."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from fastdl import datasets
from fastdl.datasets import Splits
from fastdl.errors import ArgumentError, suggest


def count(text: str) -> int:
    """Read an integer from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected an integer from 1, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    """Read an integer from 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"expected an integer from 0, got {text!r}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Read names such as lr,data."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def rate(text: str) -> float:
    """Read a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def shape(text: str) -> tuple[int, ...]:
    """Read sizes such as 28,28,1."""
    try:
        return tuple(count(size.strip()) for size in text.split(","))
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"expected the shape of one example, such as 28,28,1, got {text!r}"
        ) from None


def size(text: str) -> tuple[int, int]:
    """Read a height and a width such as 64,48."""
    try:
        height, width = shape(text)
    except (ValueError, ArgumentTypeError):
        raise ArgumentTypeError(
            f"expected height and width, such as 64,48, got {text!r}"
        ) from None
    return height, width


def add_data_dir(parser: ArgumentParser) -> None:
    """Declare ``--data-dir``."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="holds DATASET/; default: $FASTDL_DATA_DIR, then the user's cache folder",
    )


def load_data(
    name: str, data_dir: Path | None, size: tuple[int, int] | None = None
) -> Splits:
    """Load a data set by its name, or a folder of pictures.

    Parameters
    ----------
    name : str
        A name of `fastdl.datasets.names`, or a path.
    data_dir : Path, optional
        Holds the files of the data set, in a folder of its name.
    size : (int, int), optional
        Height and width to which the pictures of a folder are resized.

    Raises
    ------
    ArgumentError
        It is neither.
    DataError
        It cannot be loaded.
    """
    if name in datasets.names():
        return datasets.load(name, None if data_dir is None else data_dir / name)
    if Path(name).is_dir():
        return datasets.image_folder(name, size)
    raise ArgumentError(
        f"{name!r} is neither a data set nor a folder of pictures"
        f"{suggest(name, datasets.names())}"
    )


def describe_shape(sizes: tuple[int, ...]) -> str:
    """Return sizes such as 28x28x1."""
    return "x".join(map(str, sizes))
