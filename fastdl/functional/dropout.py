"""Dropout, whose mask is computed again in backward instead of stored."""

from __future__ import annotations

import numpy as np

from fastdl import backend, random
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import empty_like
from fastdl.shapes import is_in
from fastdl.typing import TensorLike


def _check(p: float, operation: str) -> None:
    if not is_in(p, 1):
        raise ArgumentError(f"{operation}: expected p in [0, 1), got {p!r}")


def _dropout_backward(node: Node, dy: np.ndarray) -> tuple:
    keep_prob, seed, offset = node.arguments
    return (backend.dropout_backward(dy, keep_prob, seed=seed, offset=offset),)


def dropout(
    x: TensorLike,
    p: float = 0.5,
    training: bool = True,
    seed: int | None = None,
    offset: int = 0,
) -> Tensor:
    """Drop elements at random and scale the others up (Srivastava et al. 2014).

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    p : float
        The probability to drop an element, in [0, 1). The course's keep_prob is 1 - p.
    training : bool
        Whether to drop at all; False returns `x` itself.
    seed : int, optional
        In [0, 2**64): the stream of random numbers, the same mask on every machine.
        By default a fresh one of `fastdl.random`.
    offset : int
        Where in the stream the mask begins.

    Returns
    -------
    Tensor
        The shape of `x`: 0, or x / (1 - p).

    Raises
    ------
    ArgumentError
        `p` is out of range.
    """
    x = as_tensor(x)
    _check(p, "dropout")
    if p == 0 or not training:
        return x
    if seed is None:
        seed = random.new_seed()
    y = backend.dropout_forward(x.data, 1 - p, seed=seed, offset=offset)
    return record(y, _dropout_backward, (x._node,), (), (1 - p, seed, offset))


def _dropout2d_backward(node: Node, dy: np.ndarray) -> tuple:
    (scale,) = node.arguments
    return (np.multiply(dy, scale, empty_like(dy)),)


def dropout2d(
    x: TensorLike,
    p: float = 0.5,
    training: bool = True,
    seed: int | None = None,
    offset: int = 0,
) -> Tensor:
    """Drop whole channels of images at random and scale the others up.

    Neighbouring pixels are alike, so one that is dropped alone is hardly missed
    (Tompson et al. 2015, "Efficient object localization using convolutional networks").

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c); each of the n * c channels is kept or dropped.
    p, training, seed, offset
        As in `dropout`; a mask takes n * c numbers of the stream.

    Returns
    -------
    Tensor
        The shape of `x`: 0, or x / (1 - p).

    Raises
    ------
    ShapeError
        `x` are no images.
    ArgumentError
        `p` is out of range.
    """
    x = as_tensor(x)
    _check(p, "dropout2d")
    if x.data.ndim != 4:
        raise ShapeError(
            f"dropout2d: expected images (n, h, w, c), got shape {x.data.shape}; use "
            f"dropout for rows"
        )
    if p == 0 or not training:
        return x
    if seed is None:
        seed = random.new_seed()
    n, _, _, c = x.data.shape
    ones = np.ones((n, 1, 1, c), x.data.dtype)
    scale = backend.dropout_forward(ones, 1 - p, seed=seed, offset=offset)
    y = np.multiply(x.data, scale, empty_like(x.data))
    return record(y, _dropout2d_backward, (x._node,), (), (scale,))
