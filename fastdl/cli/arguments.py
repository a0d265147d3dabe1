"""What several commands need: values of options."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from fastdl import datasets


def text(value: str) -> str:
    """Read a name or a path; an empty one would mean the folder where the user is."""
    if not value:
        raise ArgumentTypeError("expected a name or a path, got ''")
    return value


def path(value: str) -> Path:
    """Read a path."""
    return Path(text(value))


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


def port(text: str) -> int:
    """Read the number of a port of this machine; 0 stands for a free one."""
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"expected a number from 0 to 65535, got {text!r}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Read names such as lr,data."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def rate(text: str) -> float:
    """Read a finite number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def share(text: str) -> float:
    """Read a number from 0 to below 1."""
    value = _number(text)
    if not 0 <= value < 1:
        raise ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return value


def number(text: str) -> float:
    """Read a finite number from 0."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"expected a number from 0, got {text!r}")
    return value


def options(text: str) -> dict[str, float]:
    """Read options such as translate=2,rotate=10; the word none means none."""
    if text.strip() == "none":
        return {}
    values = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        values[name.strip()] = _number(value)
        if not name.strip() or not math.isfinite(_number(value)):
            raise ArgumentTypeError(
                f"expected names with numbers, such as translate=2,rotate=10, got "
                f"{text!r}"
            )
    return {
        name: int(value) if value.is_integer() else value
        for name, value in values.items()
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def shape(text: str) -> tuple[int, ...]:
    """Read sizes such as 28,28,1."""
    try:
        return tuple(count(size.strip()) for size in text.split(","))
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"expected the shape of one example, such as 28,28,1, got {text!r}"
        ) from None


def size(text: str) -> tuple[int, int]:
    """Read a height and a width such as 64,48, or one number for both."""
    try:
        sizes = shape(text)
        height, width = 2 * sizes if len(sizes) == 1 else sizes
    except (ValueError, ArgumentTypeError):
        raise ArgumentTypeError(
            f"expected height and width, such as 64,48, or one number for both, got "
            f"{text!r}"
        ) from None
    return height, width


def add_run(parser: ArgumentParser) -> None:
    """Declare RUN."""
    parser.add_argument(
        "run_folder",
        type=path,
        metavar="RUN",
        help="the folder that `fastdl train` wrote",
    )


def add_model_source(parser: ArgumentParser) -> None:
    """Declare RUN, which may be the file of a model too."""
    parser.add_argument(
        "run_folder",
        type=path,
        metavar="RUN",
        help="the folder that `fastdl train` wrote, or a model.safetensors",
    )


def add_runs(parser: ArgumentParser) -> None:
    """Declare RUN, one or more."""
    parser.add_argument(
        "run_folders",
        type=path,
        nargs="+",
        metavar="RUN",
        help="a folder that `fastdl train` wrote",
    )


def add_dataset(parser: ArgumentParser) -> None:
    """Declare DATASET."""
    parser.add_argument(
        "dataset",
        type=text,
        metavar="DATASET",
        help=f"one of {', '.join(datasets.names())}, or a folder of pictures",
    )


def add_size(parser: ArgumentParser) -> None:
    """Declare ``--size``."""
    parser.add_argument(
        "--size",
        type=size,
        metavar="H,W",
        help="resize the pictures of a folder; one number serves for both",
    )


def add_model(parser: ArgumentParser) -> None:
    """Declare ``--model``."""
    parser.add_argument(
        "--model", metavar="NAME", help="a network; `fastdl models` lists them"
    )


def add_epochs(parser: ArgumentParser) -> None:
    """Declare ``--epochs``."""
    parser.add_argument(
        "--epochs", type=count, metavar="N", help="passes through the data"
    )


def add_examples(parser: ArgumentParser) -> None:
    """Declare ``--examples``."""
    parser.add_argument(
        "--examples",
        type=count,
        metavar="N",
        help="train with so many examples only",
    )


def add_threads(parser: ArgumentParser) -> None:
    """Declare ``--threads``."""
    parser.add_argument("--threads", type=count, metavar="N", help="default: all cores")


def add_data_dir(parser: ArgumentParser) -> None:
    """Declare ``--data-dir``."""
    parser.add_argument(
        "--data-dir",
        type=path,
        metavar="DIR",
        help="holds DATASET/; default: $FASTDL_DATA_DIR, then the user's cache folder",
    )


def describe_shape(sizes: tuple[int, ...]) -> str:
    """Return sizes such as 28x28x1."""
    return "x".join(map(str, sizes))
