"""Pooling of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.typing import OutputSizeLike, PaddingLike, PairLike, TensorLike


def _max_pool2d_backward(node: Node, dy: np.ndarray) -> tuple:
    argmax, shape, kernel_size, options = node.arguments
    return (backend.max_pool2d_backward(dy, argmax, shape, kernel_size, **options),)


def max_pool2d(
    x: TensorLike,
    kernel_size: PairLike,
    stride: PairLike | None = None,
    padding: PaddingLike = 0,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the maximum of each window; the first of equal ones gets the gradient.

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c).
    kernel_size : int or pair of int
        The window.
    stride : int or pair of int, optional
        By default the size of the window.
    padding : int, pair, pair of pairs or str
        As in `conv2d`, but smaller than the window. Padding is never the maximum.
    ceil_mode : bool
        Whether a window more covers the rows and columns that are left over at the
        bottom and right: the size of the result is rounded up. As in PyTorch, a window
        must begin inside the image or the padding at its top or left.

    Returns
    -------
    Tensor
        (n, oh, ow, c), with the sizes of `conv2d`.

    Raises
    ------
    ShapeError
        The sizes do not fit.
    """
    x = as_tensor(x)
    options: dict[str, Any] = {
        "stride": stride,
        "padding": padding,
        "ceil_mode": ceil_mode,
    }
    y, argmax = backend.max_pool2d_forward(x.data, kernel_size, **options)
    arguments = (argmax, x.data.shape, kernel_size, options)
    return record(y, _max_pool2d_backward, (x._node,), (), arguments)


def _avg_pool2d_backward(node: Node, dy: np.ndarray) -> tuple:
    shape, kernel_size, options = node.arguments
    return (backend.avg_pool2d_backward(dy, shape, kernel_size, **options),)


def avg_pool2d(
    x: TensorLike,
    kernel_size: PairLike,
    stride: PairLike | None = None,
    padding: PaddingLike = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`.
    count_include_pad : bool
        Whether padding counts as zeros, as it does by default in PyTorch too, or the
        mean is over the pixels of the image alone. What a window of `ceil_mode` covers
        behind the padding never counts.

    Returns
    -------
    Tensor
        (n, oh, ow, c).

    Raises
    ------
    ShapeError
        The sizes do not fit.
    """
    x = as_tensor(x)
    options: dict[str, Any] = {
        "stride": stride,
        "padding": padding,
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
    }
    y = backend.avg_pool2d_forward(x.data, kernel_size, **options)
    arguments = (x.data.shape, kernel_size, options)
    return record(y, _avg_pool2d_backward, (x._node,), (), arguments)


def _global_avg_pool2d_backward(node: Node, dy: np.ndarray) -> tuple:
    (shape,) = node.arguments
    return (backend.global_avg_pool2d_backward(dy, shape),)


def global_avg_pool2d(x: TensorLike) -> Tensor:
    """Return the mean of each channel over the whole image.

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c).

    Returns
    -------
    Tensor
        (n, c).

    Raises
    ------
    ShapeError
        `x` has not 4 axes.
    """
    x = as_tensor(x)
    y = backend.global_avg_pool2d_forward(x.data)
    return record(y, _global_avg_pool2d_backward, (x._node,), (), (x.data.shape,))


def _adaptive_avg_pool2d_backward(node: Node, dy: np.ndarray) -> tuple:
    shape, output_size = node.arguments
    return (backend.adaptive_avg_pool2d_backward(dy, shape, output_size),)


def adaptive_avg_pool2d(x: TensorLike, output_size: OutputSizeLike) -> Tensor:
    """Return means of windows that an image is cut into, to come to a given size.

    Window i has the rows from floor(i * h / oh) to before ceil((i + 1) * h / oh), as in
    PyTorch; windows overlap where oh does not divide h.

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c).
    output_size : int, pair or None
        The height and width of the result; None keeps those of `x`, also within a pair.

    Returns
    -------
    Tensor
        (n, oh, ow, c). For an output of 1 x 1, `global_avg_pool2d` gives (n, c).

    Raises
    ------
    ShapeError
        The sizes do not fit.
    """
    x = as_tensor(x)
    y = backend.adaptive_avg_pool2d_forward(x.data, output_size)
    arguments = (x.data.shape, output_size)
    return record(y, _adaptive_avg_pool2d_backward, (x._node,), (), arguments)
