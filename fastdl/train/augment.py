"""Random changes of training pictures, as transforms of a `DataLoader`."""

from __future__ import annotations

import numpy as np

from fastdl.data.loader import Transform
from fastdl.shapes import integer


def random_shift(pixels: int, mode: str = "constant") -> Transform:
    """Make a transform that shifts each picture by up to `pixels` in both directions.

    Parameters
    ----------
    pixels : int
        The largest shift, from 1. All shifts from -pixels to pixels are equally likely.
    mode : str
        What comes in at the border, as in `numpy.pad`: "constant" for zeros, "edge" for
        the last pixel, "reflect", ...

    Returns
    -------
    callable
        ``transform(x, y, rng) -> (x, y)`` for x (n, h, w, c).
    """
    pixels = integer(pixels, "random_shift: pixels")

    def transform(
        x: np.ndarray, y: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        n, h, w, _ = x.shape
        border = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
        padded = np.pad(x, border, mode=mode)  # type: ignore[call-overload]
        corners = rng.integers(0, 2 * pixels + 1, (n, 2))
        for row, source, (top, left) in zip(x, padded, corners.tolist(), strict=True):
            row[...] = source[top : top + h, left : left + w]
        return x, y

    return transform
