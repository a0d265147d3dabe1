r"""Pooling: the maximum or the mean of each window of an image, channel by channel.

.. math::
    y[n, i, j, k] = \max_{p, q} x[n, i s - t + p, j s - l + q, k]
    \quad\text{or}\quad
    \frac{1}{k_h k_w} \sum_{p, q} x[n, i s - t + p, j s - l + q, k]

with stride s, padding t at the top and l at the left. Padding is never the maximum; in
the mean it counts as zeros or, where that is asked for, not at all: the sum is then
divided by the number of pixels that are left. Backward, the gradient of a window goes
to its maximum, or in equal shares to all its pixels; overlapping windows add up.

Shapes: x (n, h, w, c), y (n, oh, ow, c).

Source: Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 9.3.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl import shapes
from fastdl.reference._sums import sum_over, wide
from fastdl.reference._windows import crop, pad, tap
from fastdl.shapes import Pool2dShape
from fastdl.typing import OutputSizeLike, PaddingLike, PairLike


def _taps(s: Pool2dShape) -> Iterator[tuple[int, int]]:
    return ((p, q) for p in range(s.kh) for q in range(s.kw))


def _padded_zeros(s: Pool2dShape, dtype: np.dtype) -> np.ndarray:
    """Return zeros (n, padded h, padded w, c) to add windows to, which may overlap."""
    height, width = s.top + s.h + s.bottom, s.left + s.w + s.right
    return np.zeros((s.n, height, width, s.c), wide(dtype))


def _first_inside(s: Pool2dShape) -> np.ndarray:
    """Return (oh, ow, 1): the first pixel of each window that is not padding."""
    p = np.maximum(s.top - s.stride_h * np.arange(s.oh), 0)
    q = np.maximum(s.left - s.stride_w * np.arange(s.ow), 0)
    return (p[:, np.newaxis] * s.kw + q)[:, :, np.newaxis]


def _divisor(s: Pool2dShape, count_include_pad: bool) -> np.ndarray:
    """Return (oh, ow, 1): the number of pixels of each window that count."""
    rows, columns = shapes.pool2d_counts(s, count_include_pad)
    return np.multiply.outer(rows, columns)[:, :, np.newaxis]


def max_pool2d_forward(
    x: np.ndarray,
    kernel_size: PairLike,
    *,
    stride: PairLike | None = None,
    padding: PaddingLike = 0,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of each window, and where it was.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.
    kernel_size, stride, padding
        See ``shapes.pool2d``.
    ceil_mode
        Whether a last window may reach beyond the padding.

    Returns
    -------
    y : numpy.ndarray
        (n, oh, ow, c), in the type of `x`; NaN where the window contains a NaN.
    argmax : numpy.ndarray
        The shape of y: p * kw + q of the first maximum in the window. uint8 if the
        window has at most 256 pixels, else int32.

    Raises
    ------
    ShapeError
        When the sizes do not fit, or the window has more than 2**31 pixels.
    """
    rounding = "ceil" if ceil_mode else "floor"
    s = shapes.pool2d(x.shape, kernel_size, stride, padding, "max_pool2d", rounding)
    place = shapes.argmax_dtype(s, "max_pool2d")
    padded = pad(x, s, -np.inf)
    y = np.full((s.n, s.oh, s.ow, s.c), -np.inf, x.dtype)
    argmax = np.empty(y.shape, place)
    argmax[...] = _first_inside(s)
    for p, q in _taps(s):
        seen = tap(padded, s, p, q)
        better = (seen > y) | (np.isnan(seen) & ~np.isnan(y))
        y = np.where(better, seen, y)
        argmax[better] = p * s.kw + q
    return y, argmax


def max_pool2d_backward(
    dy: np.ndarray,
    argmax: np.ndarray,
    input_shape: tuple[int, int, int, int],
    kernel_size: PairLike,
    *,
    stride: PairLike | None = None,
    padding: PaddingLike = 0,
    ceil_mode: bool = False,
) -> np.ndarray:
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy
        (n, oh, ow, c): the gradient at the output.
    argmax
        From the forward pass.
    input_shape
        (n, h, w, c).
    kernel_size, stride, padding, ceil_mode
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).
    """
    operation = "max_pool2d_backward"
    rounding = "ceil" if ceil_mode else "floor"
    s = shapes.pool2d(input_shape, kernel_size, stride, padding, operation, rounding)
    shapes.argmax_dtype(s, operation)  # the window has a legal size
    padded = _padded_zeros(s, dy.dtype)
    for p, q in _taps(s):
        tap(padded, s, p, q)[...] += np.where(argmax == p * s.kw + q, dy, 0)
    return crop(padded, s).astype(dy.dtype)


def avg_pool2d_forward(
    x: np.ndarray,
    kernel_size: PairLike,
    *,
    stride: PairLike | None = None,
    padding: PaddingLike = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """Return the mean of each window.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.
    kernel_size, stride, padding
        See ``shapes.pool2d``.
    ceil_mode
        Whether a last window may reach beyond the padding; what is there never counts.
    count_include_pad
        Whether padding counts as zeros, or does not count.

    Returns
    -------
    numpy.ndarray
        (n, oh, ow, c), in the type of `x`.

    Raises
    ------
    ShapeError
        When the sizes do not fit.
    """
    rounding = "ceil" if ceil_mode else "floor"
    s = shapes.pool2d(x.shape, kernel_size, stride, padding, "avg_pool2d", rounding)
    padded = pad(x, s)
    y = np.zeros((s.n, s.oh, s.ow, s.c), wide(x.dtype))
    for p, q in _taps(s):
        y += tap(padded, s, p, q)
    return (y / _divisor(s, count_include_pad)).astype(x.dtype)


def avg_pool2d_backward(
    dy: np.ndarray,
    input_shape: tuple[int, int, int, int],
    kernel_size: PairLike,
    *,
    stride: PairLike | None = None,
    padding: PaddingLike = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy
        (n, oh, ow, c): the gradient at the output.
    input_shape
        (n, h, w, c).
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).
    """
    operation = "avg_pool2d_backward"
    rounding = "ceil" if ceil_mode else "floor"
    s = shapes.pool2d(input_shape, kernel_size, stride, padding, operation, rounding)
    padded = _padded_zeros(s, dy.dtype)
    share = dy / _divisor(s, count_include_pad)
    for p, q in _taps(s):
        tap(padded, s, p, q)[...] += share
    return crop(padded, s).astype(dy.dtype)


def global_avg_pool2d_forward(x: np.ndarray) -> np.ndarray:
    """Return the mean of each channel over the whole image.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.

    Returns
    -------
    numpy.ndarray
        (n, c), in the type of `x`.
    """
    _, h, w, _ = shapes.check_images("global_avg_pool2d", x.shape)
    return sum_over(x, (1, 2), h * w)


def global_avg_pool2d_backward(
    dy: np.ndarray, input_shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy
        (n, c): the gradient at the output.
    input_shape
        (n, h, w, c).

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c): each pixel has an equal share.
    """
    _, h, w, _ = shapes.check_images("global_avg_pool2d_backward", input_shape)
    share = dy[:, np.newaxis, np.newaxis, :] / (h * w)
    return np.broadcast_to(share, input_shape).copy()


def adaptive_avg_pool2d_forward(
    x: np.ndarray, output_size: OutputSizeLike
) -> np.ndarray:
    r"""Return the mean of windows that an image is cut into, whatever its size.

    .. math::
        \lfloor i h / o_h \rfloor \quad\text{to}\quad
        \lceil (i + 1) h / o_h \rceil - 1

    are the rows of window i, and the columns likewise. Their mean is that of the
    columns' means.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.
    output_size
        See ``shapes.adaptive_pool2d``.

    Returns
    -------
    numpy.ndarray
        (n, oh, ow, c), in the type of `x`.

    Raises
    ------
    ShapeError
        When the sizes do not fit.
    """
    oh, ow = shapes.adaptive_pool2d(x.shape, output_size)
    n, h, w, c = x.shape
    columns = np.empty((n, oh, w, c), wide(x.dtype))
    for i, (top, bottom) in enumerate(shapes.adaptive_windows(h, oh)):
        columns[:, i] = x[:, top:bottom].mean(1, dtype=columns.dtype)
    y = np.empty((n, oh, ow, c), x.dtype)
    for j, (left, right) in enumerate(shapes.adaptive_windows(w, ow)):
        y[:, :, j] = columns[:, :, left:right].mean(2)
    return y


def adaptive_avg_pool2d_backward(
    dy: np.ndarray,
    input_shape: tuple[int, int, int, int],
    output_size: OutputSizeLike,
) -> np.ndarray:
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy
        (n, oh, ow, c): the gradient at the output.
    input_shape
        (n, h, w, c).
    output_size
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).
    """
    operation = "adaptive_avg_pool2d_backward"
    oh, ow = shapes.adaptive_pool2d(input_shape, output_size, operation)
    n, h, w, c = input_shape
    columns = np.zeros((n, oh, w, c), wide(dy.dtype))
    for j, (left, right) in enumerate(shapes.adaptive_windows(w, ow)):
        columns[:, :, left:right] += dy[:, :, j : j + 1] / (right - left)
    dx = np.zeros((n, h, w, c), columns.dtype)
    for i, (top, bottom) in enumerate(shapes.adaptive_windows(h, oh)):
        dx[:, top:bottom] += columns[:, i : i + 1] / (bottom - top)
    return dx.astype(dy.dtype)
