"""Dropout, whose mask is computed again in backward instead of stored."""

from __future__ import annotations

import numpy as np

from fastdl import backend, random, shards
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import empty_like
from fastdl.shapes import array, check_shape, is_in
from fastdl.typing import ArrayLike, Shape, TensorLike


def _check(p: float, operation: str) -> None:
    if not is_in(p, 1):
        raise ArgumentError(f"{operation}: expected p in [0, 1), got {p!r}")


def _dropout_backward(node: Node, dy: np.ndarray) -> tuple:
    keep_prob, seed, offset = node.arguments
    return (backend.dropout_backward(dy, keep_prob, seed=seed, offset=offset),)


def _of_mask(mask: ArrayLike, x: np.ndarray, p: float) -> np.ndarray:
    """Return what x is multiplied by: 0, or 1 / (1 - p) where the mask is 1."""
    kept = array(mask, "dropout: mask")
    check_shape("dropout", "mask", kept.shape, x.shape)
    if not np.isin(kept, (0, 1)).all():
        raise ArgumentError("dropout: mask must be 1 where an element is kept, else 0")
    scale = kept.astype(x.dtype)
    scale /= 1 - p
    return scale


def dropout(
    x: TensorLike,
    p: float = 0.5,
    training: bool = True,
    seed: int | None = None,
    offset: int = 0,
    *,
    mask: ArrayLike | None = None,
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
    mask : array_like, optional
        The shape of `x`, a 1 for each element to keep and 0 for the others, instead of
        one at random: the course's D, of ``D / keep_prob``.

    Returns
    -------
    Tensor
        The shape of `x`: 0, or x / (1 - p).

    Raises
    ------
    ArgumentError
        `p` is out of range; `mask` has something other than 0 and 1.
    ShapeError
        `mask` has another shape.
    """
    x = as_tensor(x)
    _check(p, "dropout")
    if training and mask is not None:
        return _times(x, _of_mask(mask, x.data, p))
    if p == 0 or not training:
        return x
    if seed is None:
        seed = random.new_seed()
    offset += shards.spread(x.data.size)[0]
    y = backend.dropout_forward(x.data, 1 - p, seed=seed, offset=offset)
    return record(y, _dropout_backward, (x._node,), (), (1 - p, seed, offset))


# Whole parts -------------------------------------------------------------------------


def _drop_parts_backward(node: Node, dy: np.ndarray) -> tuple:
    (scale,) = node.arguments
    return (np.multiply(dy, scale, empty_like(dy)),)


def _times(x: Tensor, scale: np.ndarray) -> Tensor:
    y = np.multiply(x.data, scale, empty_like(x.data))
    return record(y, _drop_parts_backward, (x._node,), (), (scale,))


def _drop_parts(
    x: Tensor, parts: Shape, p: float, training: bool, seed: int | None, offset: int
) -> Tensor:
    """Drop parts of x as a whole: `parts` is their shape, stretched to that of x."""
    if p == 0 or not training:
        return x
    if seed is None:
        seed = random.new_seed()
    ones = np.ones(parts, x.data.dtype)
    offset += shards.spread(ones.size)[0]
    scale = backend.dropout_forward(ones, 1 - p, seed=seed, offset=offset)
    return _times(x, scale)


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
    n, _, _, c = x.data.shape
    return _drop_parts(x, (n, 1, 1, c), p, training, seed, offset)


def drop_path(
    x: TensorLike,
    p: float = 0.5,
    training: bool = True,
    seed: int | None = None,
    offset: int = 0,
) -> Tensor:
    """Drop whole examples at random and scale the others up: stochastic depth.

    Put around the residual branch of a block, ``skip + drop_path(branch(skip), p)``, it
    trains a network that has another depth for each example (Huang et al. 2016, "Deep
    networks with stochastic depth"). The source scales by 1 - p in evaluation instead.

    Parameters
    ----------
    x : Tensor or array_like
        (n, ...); each of the n examples is kept or dropped.
    p, training, seed, offset
        As in `dropout`; a mask takes n numbers of the stream.

    Returns
    -------
    Tensor
        The shape of `x`: 0, or x / (1 - p).

    Raises
    ------
    ShapeError
        `x` has no axis of examples.
    ArgumentError
        `p` is out of range.
    """
    x = as_tensor(x)
    _check(p, "drop_path")
    if x.data.ndim == 0:
        raise ShapeError("drop_path: expected examples (n, ...), got a single number")
    parts = x.data.shape[:1] + (1,) * (x.data.ndim - 1)
    return _drop_parts(x, parts, p, training, seed, offset)
