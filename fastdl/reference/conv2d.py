r"""Convolution of images (cross-correlation, as everyone in the field defines it).

.. math::
    y[n, i, j, o] = g\Bigl(b[o] + \sum_{p, q, k}
        x[n,\; i s - t + p d,\; j s - l + q d,\; k] \; w[p, q, k, o]\Bigr)

with stride s, dilation d, padding t at the top and l at the left, and x zero outside.

Shapes: x (n, h, w, c), weight (kh, kw, c / groups, oc), bias (oc,), y (n, oh, ow, oc).
Groups split the channels of x and y into equal runs; run r of y sees only run r of x.

Each pixel (p, q) of the filter, a "tap", contributes a matrix product of the input
pixels it meets, one for each output pixel, and its weights (c, oc). The forward pass
adds these products up. Both gradients follow tap by tap from those of a matrix product,
with dz the gradient at the argument of g:

.. math:: dx_{pq} \mathrel{+}= dz \, w_{pq}^T, \qquad dw_{pq} = x_{pq}^T \, dz

Source: Goodfellow, Bengio, Courville, "Deep Learning" (2016), chapter 9; Dumoulin and
Visin, "A guide to convolution arithmetic for deep learning", 2016, for the sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl import shapes
from fastdl.reference._sums import sum_over, wide
from fastdl.reference._windows import crop, pad, tap
from fastdl.reference.activation import bias_activation, put
from fastdl.shapes import Conv2dShape
from fastdl.typing import PaddingLike, PairLike, Shape


def _taps(s: Conv2dShape) -> Iterator[tuple[int, int, int, int]]:
    """Yield, for each pixel of the filter, p and q and its dilated position."""
    for p in range(s.kh):
        for q in range(s.kw):
            yield p, q, p * s.dilation_h, q * s.dilation_w


def _by_group(pixels: np.ndarray, groups: int) -> np.ndarray:
    """Return (..., channels) as matrices (groups, pixels, channels / groups)."""
    channels = pixels.shape[-1]
    rows = pixels.size // channels
    return pixels.reshape(rows, groups, channels // groups).transpose(1, 0, 2)


def _from_groups(matrices: np.ndarray, shape: Shape) -> np.ndarray:
    """Undo `_by_group`."""
    return matrices.transpose(1, 0, 2).reshape(shape)


def conv2d_forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: PairLike = 1,
    padding: PaddingLike = 0,
    dilation: PairLike = 1,
    groups: int = 1,
    activation: str | None = None,
    algorithm: str | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``activation(conv2d(x, weight) + bias)``.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.
    weight
        Filters (kh, kw, c / groups, oc).
    bias
        (oc,) or None.
    stride, padding, dilation, groups
        See ``shapes.conv2d``.
    activation
        One of ``shapes.ACTIVATIONS`` or None.
    algorithm
        For the compiled kernels (see ``set_conv_algorithm``); here there is only one.
    out
        (n, oh, ow, oc): where to put the result.

    Returns
    -------
    numpy.ndarray
        (n, oh, ow, oc), in the type of `x`.

    Raises
    ------
    ShapeError
        When the sizes do not fit.
    """
    shapes.conv_algorithm_index(algorithm, "conv2d")
    s = shapes.conv2d(x.shape, weight.shape, stride, padding, dilation, groups)
    padded = pad(x, s)
    y = np.zeros((groups, s.n * s.oh * s.ow, s.oc // groups), wide(x.dtype))
    for p, q, row, column in _taps(s):
        seen = _by_group(tap(padded, s, row, column), groups)
        y += seen @ _by_group(weight[p, q], groups)
    y = _from_groups(y, (s.n, s.oh, s.ow, s.oc)).astype(x.dtype)
    return put(bias_activation(y, bias, activation, "conv2d"), out, "conv2d")


def conv2d_backward_input(
    dy: np.ndarray,
    weight: np.ndarray,
    input_shape: tuple[int, int, int, int],
    *,
    stride: PairLike = 1,
    padding: PaddingLike = 0,
    dilation: PairLike = 1,
    groups: int = 1,
    algorithm: str | None = None,
) -> np.ndarray:
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy
        (n, oh, ow, oc): the gradient at the output, before any activation.
    weight
        Filters (kh, kw, c / groups, oc).
    input_shape
        (n, h, w, c).
    stride, padding, dilation, groups, algorithm
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).
    """
    operation = "conv2d_backward_input"
    shapes.conv_algorithm_index(algorithm, operation)
    s = shapes.conv2d(
        input_shape, weight.shape, stride, padding, dilation, groups, operation
    )
    height, width = s.top + s.h + s.bottom, s.left + s.w + s.right
    padded = np.zeros((s.n, height, width, s.c), wide(dy.dtype))
    dz = _by_group(dy, groups)
    for p, q, row, column in _taps(s):
        dx = dz @ _by_group(weight[p, q], groups).transpose(0, 2, 1)
        tap(padded, s, row, column)[...] += _from_groups(dx, (s.n, s.oh, s.ow, s.c))
    return crop(padded, s).astype(dy.dtype)


def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    kernel_size: PairLike,
    *,
    stride: PairLike = 1,
    padding: PaddingLike = 0,
    dilation: PairLike = 1,
    groups: int = 1,
    with_bias: bool = True,
    algorithm: str | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the gradients with respect to the filters and the bias.

    Parameters
    ----------
    dy
        (n, oh, ow, oc): the gradient at the output, before any activation.
    x
        Images (n, h, w, c).
    kernel_size
        kh = kw, or (kh, kw).
    stride, padding, dilation, groups, algorithm
        As in the forward pass.
    with_bias
        Whether there is a bias; a convolution before a batch norm has none.

    Returns
    -------
    dweight : numpy.ndarray
        (kh, kw, c / groups, oc).
    dbias : numpy.ndarray or None
        (oc,), or None without a bias.
    """
    operation = "conv2d_backward_weight"
    shapes.conv_algorithm_index(algorithm, operation)
    kernel = shapes.pair(kernel_size, f"{operation}: kernel_size")
    groups = shapes.integer(groups, f"{operation}: groups")
    weight_shape = (*kernel, x.shape[3] // groups, dy.shape[3])
    s = shapes.conv2d(
        x.shape, weight_shape, stride, padding, dilation, groups, operation
    )
    padded = pad(x, s)
    dweight = np.zeros(weight_shape, x.dtype)
    dz = _by_group(dy, groups)
    for p, q, row, column in _taps(s):
        seen = _by_group(tap(padded, s, row, column), groups)
        dweight[p, q] = _from_groups(seen.transpose(0, 2, 1) @ dz, weight_shape[2:])
    return dweight, sum_over(dy, (0, 1, 2)) if with_bias else None
