"""Arrays as pixels: pictures of data, and signed numbers in two colours."""

from __future__ import annotations

import math

import numpy as np

from fastdl.report.style import visible

MOST_PIXELS = 96  # along a side; a larger picture is shrunk, to keep the page small


def small_picture(x: np.ndarray) -> np.ndarray | None:
    """Return an example as uint8 pixels (h, w) or (h, w, 3); None if not a picture.

    A large one is shrunk.
    """
    if x.ndim != 3 or x.shape[-1] not in (1, 3) or not x.size:
        return None
    return _bytes(shrunk(visible(x[np.newaxis])[0]))


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """Shrink a large picture (h, w, ...): a pixel becomes the mean of a square."""
    factor = math.ceil(max(pixels.shape[:2]) / MOST_PIXELS)
    if factor == 1 or min(pixels.shape[:2]) < factor:
        return pixels
    height, width = (size // factor for size in pixels.shape[:2])
    squares = pixels[: height * factor, : width * factor].reshape(
        height, factor, width, factor, *pixels.shape[2:]
    )
    return squares.mean(axis=(1, 3))


def coloured(values: np.ndarray, limit: float) -> np.ndarray:
    """Return three channels (h, w, 3) as uint8 colours: grey is 0."""
    return _bytes(0.5 + 0.5 * values / limit)


def _bytes(values: np.ndarray) -> np.ndarray:
    return (255 * values.clip(0, 1)).round().astype(np.uint8)
