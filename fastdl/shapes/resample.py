"""The pixels that each pixel of a resampled image is made of, axis by axis.

Every resampling here is separable: a weighted sum along the height, then along the
width. So are the means of windows of unequal sizes, and so is each gradient, which is
the sum with the roles of the two images exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fastdl.errors import ShapeError
from fastdl.shapes.arguments import check_elements, integer, sizes
from fastdl.shapes.images import check_images
from fastdl.typing import OutputSizeLike

Shape = tuple[int, ...]


class Taps(NamedTuple):
    """What each pixel along an axis of the result is the weighted sum of."""

    firsts: np.ndarray
    """(output,): the number of the first pixel."""
    counts: np.ndarray
    """(output,): how many pixels side by side, at least 1."""
    weights: np.ndarray
    """(output, most): of each of them."""


def adaptive_pool2d(
    x_shape: Sequence[int],
    output_size: OutputSizeLike,
    operation: str = "adaptive_avg_pool2d",
) -> Shape:
    """Return (oh, ow) of a pooling into a given size, after checking all sizes.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    output_size
        An integer >= 1 for both sides or a pair of them; None keeps the side of x.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When anything does not fit, or an array would be larger than any memory.
    """
    n, h, w, c = check_images(operation, sizes(operation, "x", x_shape))
    oh, ow = output_pair(output_size, f"{operation}: output_size")
    oh, ow = h if oh is None else oh, w if ow is None else ow
    check_elements(operation, "the result", (n, oh, ow, c))
    return oh, ow


def output_pair(
    output_size: OutputSizeLike, name: str
) -> tuple[int | None, int | None]:
    """Return an integer, None, or a pair of them as a pair; ShapeError for others."""
    if isinstance(output_size, (tuple, list)):
        if len(output_size) != 2:
            raise ShapeError(
                f"{name} must be an integer >= 1, None, or a pair of them, got "
                f"{output_size!r}"
            )
        first, second = output_size
    else:
        first = second = output_size  # type: ignore[assignment]
    return (
        None if first is None else integer(first, name),
        None if second is None else integer(second, name),
    )


def adaptive_windows(size: int, output: int) -> np.ndarray:
    """Return (output, 2): the first pixel of each window along an axis, and its end.

    The windows cover the axis and differ in size by at most a pixel; where
    `output` does not divide `size` they overlap.
    """
    place = np.arange(output)
    return np.stack([place * size // output, -(-(place + 1) * size // output)], 1)


@lru_cache(maxsize=64)
def adaptive_taps(size: int, output: int, dtype: np.dtype, backward: bool) -> Taps:
    """Return the means of `adaptive_windows`, or of their gradient."""
    first, end = adaptive_windows(size, output).T
    counts = end - first
    inside = np.arange(counts.max()) < counts[:, np.newaxis]
    return _ready(
        Taps(first, counts, inside / counts[:, np.newaxis]), size, dtype, backward
    )


def _ready(taps: Taps, size: int, dtype: np.dtype, backward: bool) -> Taps:
    """Return the taps, or those of the gradient, in the types that kernels read."""
    firsts, counts, weights = _transposed(taps, size) if backward else taps
    return Taps(
        np.ascontiguousarray(firsts, np.intp),
        np.ascontiguousarray(counts, np.intp),
        np.ascontiguousarray(weights, dtype),
    )


def _transposed(taps: Taps, size: int) -> Taps:
    """Return which pixels of the result each of `size` pixels went to.

    They lie side by side, as firsts and ends never go back along the axis. A pixel that
    went nowhere gets one of the result with the weight 0.
    """
    most = taps.weights.shape[1]
    output, place = np.nonzero(np.arange(most) < taps.counts[:, np.newaxis])
    source = taps.firsts[output] + place
    counts = np.bincount(source, minlength=size)
    firsts = np.full(size, len(taps.firsts) - 1)
    np.minimum.at(firsts, source, output)
    weights = np.zeros((size, counts.max()))
    weights[source, output - firsts[source]] = taps.weights[output, place]
    return Taps(firsts, np.maximum(counts, 1), weights)
