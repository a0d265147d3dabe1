"""Padding and strided views, shared by convolution and pooling."""

from __future__ import annotations

import numpy as np

from fastdl.shapes import Conv2dShape, Pool2dShape


def pad(x: np.ndarray, s: Conv2dShape | Pool2dShape, value: float = 0) -> np.ndarray:
    """Return images (n, h, w, c) with the padding of `s` around them."""
    borders = ((0, 0), (s.top, s.bottom), (s.left, s.right), (0, 0))
    return np.pad(x, borders, constant_values=value)


def crop(padded: np.ndarray, s: Conv2dShape | Pool2dShape) -> np.ndarray:
    """Return a copy of padded images without the padding."""
    return padded[:, s.top : s.top + s.h, s.left : s.left + s.w].copy()


def tap(
    padded: np.ndarray, s: Conv2dShape | Pool2dShape, row: int, column: int
) -> np.ndarray:
    """Return the view (n, oh, ow, c) of what one pixel of the window sees.

    Entry (oy, ox) is the padded pixel (oy * stride_h + row, ox * stride_w + column).
    """
    bottom = row + (s.oh - 1) * s.stride_h + 1
    right = column + (s.ow - 1) * s.stride_w + 1
    return padded[:, row : bottom : s.stride_h, column : right : s.stride_w]
