"""Random changes of training pictures, as transforms of a `DataLoader`."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fastdl.data.loader import Transform
from fastdl.errors import ArgumentError


def random_shift(pixels: float, mode: str = "constant") -> Transform:
    """Make a transform that shifts each picture by up to `pixels` in both directions.

    Both shifts are uniform in [-pixels, pixels], fractions included: a pixel becomes
    the bilinear mean of the four that come to lie under it. On small pictures this
    augments more gently than whole pixels.

    Parameters
    ----------
    pixels : float
        The largest shift, > 0.
    mode : str
        What comes in at the border, as in `numpy.pad`: "constant" for zeros, "edge" for
        the last pixel, "reflect", ...

    Returns
    -------
    callable
        ``transform(x, y, rng) -> (x, y)`` for x (n, h, w, c) of real numbers.

    Raises
    ------
    ArgumentError
        `pixels` is not a positive number.
    """
    if not isinstance(pixels, Real) or not 0 < pixels < math.inf:
        raise ArgumentError(f"random_shift: pixels must be above 0, got {pixels!r}")
    border = math.ceil(pixels)

    def transform(
        x: np.ndarray, y: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        n, h, w, _ = x.shape
        sides = (border, border + 1)  # one more, for the mean with the next pixel
        padded = np.pad(x, ((0, 0), sides, sides, (0, 0)), mode)  # type: ignore[call-overload]
        corner = border + rng.uniform(-pixels, pixels, (2, n))
        top, left = whole = np.floor(corner).astype(np.intp)
        windows = sliding_window_view(padded, (h + 1, w + 1), (1, 2))
        z = windows[np.arange(n), top, left]  # (n, c, h + 1, w + 1)
        below, right = (corner - whole).astype(x.dtype)[..., None, None, None]
        z = z[:, :, :-1] * (1 - below) + z[:, :, 1:] * below
        z = z[..., :-1] * (1 - right) + z[..., 1:] * right
        return np.ascontiguousarray(z.transpose(0, 2, 3, 1)), y

    return transform
