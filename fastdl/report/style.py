"""What all figures share: colours, type, and how they are made and saved.

Blue and vermilion are from the palette of Okabe and Ito (2008, "Color universal
design"), which people with any colour vision can tell apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.data import ArrayDataset, Dataset, as_float
from fastdl.errors import ArgumentError, FastdlError, ShapeError
from fastdl.files import as_path, replaced
from fastdl.typing import ArrayLike, StrPath

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE = "#0072B2"
VERMILION = "#D55E00"
# For up to six things to tell apart: the two, and others from the same palette.
PALETTE = (BLUE, VERMILION, "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
INK = "#222222"
GREY = "#767676"  # the lightest that is readable on white
# For signed numbers, from -1 to 1: white for 0, blue above, vermilion below, dark ends.
SIGNED = ((-1.0, INK), (-0.6, VERMILION), (0.0, "#FFFFFF"), (0.6, BLUE), (1.0, INK))

_DPI = 150

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5"
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": "white",
}


@contextmanager
def new_figure(width: float, height: float, title: str) -> Iterator[Figure]:
    """Yield an empty figure (sizes in inches) to draw in, with the style applied.

    It has nothing to do with `matplotlib.pyplot`: no window, no global state.

    Raises
    ------
    FastdlError
        matplotlib is missing.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise FastdlError(
            'pictures need matplotlib: pip install "fastdl-cpu[plot]"'
        ) from None
    with rc_context(_STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
        figure = Figure(figsize=(width, height), layout=layout)
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        yield figure


def shortened(name: str, most: int = 12) -> str:
    """Return a name, cut to this many letters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def pictures_of(x: ArrayLike | Dataset, who: str) -> Dataset:
    """Return pictures as a data set; ShapeError unless they have 1 or 3 channels."""
    dataset = x if isinstance(x, Dataset) else ArrayDataset(x)
    first = dataset.take(np.arange(min(len(dataset), 1)))[0]
    shape = (len(dataset), *first.shape[1:]) if isinstance(first, np.ndarray) else None
    if shape is None or len(shape) != 4 or shape[-1] not in (1, 3):
        raise ShapeError(
            f"{who}: expected pictures of shape (m, h, w, 1) or (m, h, w, 3), got "
            f"{shape or type(first).__name__}"
        )
    return dataset


def visible(pictures: np.ndarray) -> np.ndarray:
    """Return pictures in [0, 1], without a single channel."""
    pictures = as_float(pictures)
    if pictures.size and (pictures.min() < 0 or pictures.max() > 1):
        low, high = pictures.min(), pictures.max()
        pictures = (pictures - low) / (high - low or 1)
    return pictures[..., 0] if pictures.shape[-1] == 1 else pictures


def signed(values: np.ndarray, limit: float) -> np.ndarray:
    """Return numbers from -limit to limit as uint8 colours (..., 3), see `SIGNED`."""
    places = [place for place, _ in SIGNED]
    shades = zip(*(_rgb(colour) for _, colour in SIGNED), strict=True)
    channels = [np.interp(values / limit, places, shade) for shade in shades]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def save_figure(figure: Figure, path: StrPath) -> None:
    """Save a figure as PNG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Such as the functions of `fastdl.report` return.
    path : path
        The file, whose name ends with .png or has no ending ("lr0.01" has none); its
        folder is made if it is missing. Other formats: ``figure.savefig("x.svg")``.

    Raises
    ------
    ArgumentError
        The name has another ending.
    """
    name = as_path(path, "save_figure")
    ending = name.suffix[1:].lower()
    if ending not in ("", "png") and not ending.isdigit():
        raise ArgumentError(
            f"save_figure: names of PNG files end in .png, got {name.name!r:.60}; "
            f"figure.savefig writes other formats"
        )
    with replaced(path) as file, warnings.catch_warnings():
        # A letter that the font lacks, such as in a Chinese class name, becomes a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(file, format="png", dpi=_DPI)
