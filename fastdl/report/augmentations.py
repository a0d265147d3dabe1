"""Augmented pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fastdl.data import as_float
from fastdl.data.loader import Transform
from fastdl.data.seeds import example_seeds
from fastdl.errors import ShapeError
from fastdl.report.style import GREY, INK, new_figure, visible
from fastdl.shapes import integer
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 24  # of pictures: more take minutes to draw, and nobody reads them


def augmentations(
    x: ArrayLike,
    transform: Transform | Mapping[str, Transform],
    variants: int = 8,
    seed: int = 0,
) -> Figure:
    """Show pictures beside what training sees in their place in the first epochs.

    Parameters
    ----------
    x : array_like, (m, h, w, 1) or (m, h, w, 3)
        The pictures, uint8 or real numbers, m >= 1.
    transform : callable or dict of str to callable
        What a `fastdl.data.DataLoader` takes, such as ``Augment(flip=0.5)``. For one
        transform there is a row for each picture, of the first 24; for several by name,
        a row for each of them, on the pictures in turn.
    variants : int
        How many epochs to show, from 1.
    seed : int
        The seed of the loader.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        `x` holds no pictures, or `variants` is below 1.
    FastdlError
        matplotlib is missing.
    """
    x = as_float(np.asarray(x))
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or not len(x):
        raise ShapeError(
            f"augmentations: expected pictures of shape (m, h, w, 1) or (m, h, w, 3), "
            f"got {x.shape}"
        )
    variants = integer(variants, "augmentations: variants")
    if isinstance(transform, Mapping):
        rows = [
            (name, index % len(x), each)
            for index, (name, each) in enumerate(transform.items())
        ]
    else:
        rows = [("", index, transform) for index in range(min(len(x), ROWS))]
    caption = "left: the picture; right of it: what the first epochs of training see"
    if not isinstance(transform, Mapping) and len(x) > ROWS:
        caption += f"; the first {ROWS} of {len(x)}"
    labels = max(len(name) for name, _, _ in rows) * 0.09  # inches
    width = max(variants + 1.2 + labels, 5.2)
    with new_figure(width, len(rows) + 0.9, "Augmentation") as figure:
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=9, color=GREY)
        grid = figure.subplots(len(rows), variants + 1, squeeze=False)
        for line, (name, index, each) in zip(grid, rows, strict=True):
            pictures = [x[index], *_variants(x[index], each, index, variants, seed)]
            for axes, picture in zip(line, visible(np.stack(pictures)), strict=True):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            line[0].spines[:].set(visible=True, color=INK, linewidth=1.5)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def _variants(
    picture: np.ndarray, transform: Transform, index: int, count: int, seed: int
) -> np.ndarray:
    """Return the picture as transformed in the epochs 0 to count - 1."""
    example = np.array([index])
    seeds = [example_seeds(seed, epoch, example) for epoch in range(count)]
    copies = np.repeat(picture[np.newaxis], count, axis=0)
    changed, _ = transform(copies, None, np.concatenate(seeds))
    return changed
