"""Augmented pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdl.data import Dataset, as_float
from fastdl.data.loader import Transform, transforms_of
from fastdl.data.seeds import example_seeds
from fastdl.errors import ArgumentError, ShapeError
from fastdl.report.style import GREY, INK, new_figure, pictures_of, visible
from fastdl.shapes import integer
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Transforms = Transform | Sequence[Transform]

ROWS = 24  # of pictures: more take minutes to draw, and nobody reads them


def augmentations(
    x: ArrayLike | Dataset,
    transform: Transforms | Mapping[str, Transforms],
    variants: int = 8,
    seed: int = 0,
) -> Figure:
    """Show pictures beside what training sees in their place in the first epochs.

    Parameters
    ----------
    x : array_like, (m, h, w, 1) or (m, h, w, 3)
        The pictures, uint8 or real numbers, m >= 1; or a data set of them.
    transform : callable, sequence of callable, or dict of str to either
        What a `fastdl.data.DataLoader` takes, such as ``Augment(flip=0.5)``; it is
        called as ``transform(x, None, seeds)`` and returns the new x and None. There is
        a row for each picture, of the first 24; for transforms by name, a row for each
        name, on the pictures in turn.
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
    ArgumentError
        A transform is no function of three arguments, or there is none.
    FastdlError
        matplotlib is missing.
    """
    dataset = pictures_of(x, "augmentations")
    m = len(dataset)
    if not m:
        raise ShapeError("augmentations: there is no picture")
    variants = integer(variants, "augmentations: variants")
    named = transform if isinstance(transform, Mapping) else {"": transform}
    several = {
        name: transforms_of(each, "augmentations") for name, each in named.items()
    }
    if not all(several.values()) or not several:
        raise ArgumentError(
            "augmentations: there is no transform; Augment(flip=0.5) is one"
        )
    if isinstance(transform, Mapping):
        rows = [
            (name, index % m, each)
            for index, (name, each) in enumerate(several.items())
        ]
    else:
        rows = [("", index, several[""]) for index in range(min(m, ROWS))]
    pictures = as_float(dataset.take(np.array([index for _, index, _ in rows]))[0])
    caption = "left: the picture; right of it: what the first epochs of training see"
    if not isinstance(transform, Mapping) and m > ROWS:
        caption += f"; the first {ROWS} of {m}"
    labels = max(len(name) for name, _, _ in rows) * 0.09  # inches
    width = max(variants + 1.2 + labels, 5.2)
    with new_figure(width, len(rows) + 0.9, "Augmentation") as figure:
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=9, color=GREY)
        grid = figure.subplots(len(rows), variants + 1, squeeze=False)
        for line, picture, (name, index, each) in zip(
            grid, pictures, rows, strict=True
        ):
            shown = [picture, *_variants(picture, each, index, variants, seed)]
            for axes, image in zip(line, visible(np.stack(shown)), strict=True):
                axes.imshow(image, cmap="gray", vmin=0, vmax=1)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            line[0].spines[:].set(visible=True, color=INK, linewidth=1.5)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def _variants(
    picture: np.ndarray,
    transforms: tuple[Transform, ...],
    index: int,
    count: int,
    seed: int,
) -> np.ndarray:
    """Return the picture as transformed in the epochs 0 to count - 1."""
    example = np.array([index])
    x = np.repeat(picture[np.newaxis], count, axis=0)
    for number, transform in enumerate(transforms):
        seeds = [example_seeds(seed, epoch, example, number) for epoch in range(count)]
        x, _ = transform(x, None, np.concatenate(seeds))
    return x
