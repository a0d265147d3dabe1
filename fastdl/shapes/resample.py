"""The pixels that each pixel of a resampled image is made of, axis by axis.

Every resampling here is separable: a weighted sum along the height, then along the
width. So are the means of windows of unequal sizes, and so is each gradient, which is
the sum with the roles of the two images exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, ShapeError, suggest
from fastdl.shapes.arguments import (
    MAX_ELEMENTS,
    check_elements,
    integer,
    is_positive,
    pair,
    sizes,
)
from fastdl.shapes.images import Pool2dShape, check_images, pool2d_counts
from fastdl.typing import OutputSizeLike, PairLike, ScaleLike

Shape = tuple[int, ...]

UPSAMPLE_MODES = ("nearest", "bilinear")
_KEPT = 256  # taps of as many calls


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


@lru_cache(maxsize=_KEPT)
def adaptive_taps(size: int, output: int, dtype: np.dtype, backward: bool) -> Taps:
    """Return the means of `adaptive_windows`, or their gradient."""
    first, end = adaptive_windows(size, output).T
    return _ready(_means(first, end, end - first), size, dtype, backward)


@lru_cache(maxsize=_KEPT)
def pool2d_taps(
    s: Pool2dShape, count_include_pad: bool, dtype: np.dtype, backward: bool
) -> tuple[Taps, Taps]:
    """Return the means of the windows of a pooling, or their gradient, of both axes."""
    counts = pool2d_counts(s, count_include_pad)

    def axis(
        size: int, kernel: int, stride: int, before: int, count: np.ndarray
    ) -> Taps:
        first = np.arange(len(count)) * stride - before
        inside = np.maximum(first, 0), np.minimum(first + kernel, size)
        return _ready(_means(*inside, count), size, dtype, backward)

    return (
        axis(s.h, s.kh, s.stride_h, s.top, counts[0]),
        axis(s.w, s.kw, s.stride_w, s.left, counts[1]),
    )


def _means(first: np.ndarray, end: np.ndarray, divisor: np.ndarray) -> Taps:
    counts = end - first
    inside = np.arange(counts.max()) < counts[:, np.newaxis]
    return Taps(first, counts, inside / divisor[:, np.newaxis])


def upsample_mode(mode: str, align_corners: bool, operation: str) -> bool:
    """Return whether a mode is "bilinear" and not "nearest", after checking it.

    Raises
    ------
    ArgumentError
        For another mode; for `align_corners` with "nearest", which has no corners.
    """
    if mode not in UPSAMPLE_MODES:
        hint = suggest(str(mode), UPSAMPLE_MODES)
        raise ArgumentError(f"{operation}: unknown mode {mode!r}{hint}")
    if align_corners and mode == "nearest":
        raise ArgumentError(
            f'{operation}: align_corners is an option of mode="bilinear"; "nearest" '
            "copies pixels"
        )
    return mode == "bilinear"


def upsample(
    x_shape: Sequence[int],
    size: PairLike | None,
    scale_factor: ScaleLike | None,
    operation: str = "upsample",
) -> tuple[tuple[int, int], tuple[float | None, float | None]]:
    """Return (oh, ow) and the scales along both axes, after checking all sizes.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    size
        Of the result: an integer >= 1 or a pair of them.
    scale_factor
        In its place: a positive number or a pair of them; the result has
        floor(h * scale_factor) rows. Without it the scales are None.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When anything does not fit, or an array would be larger than any memory.
    ArgumentError
        Unless one of `size` and `scale_factor` is given.
    """
    n, h, w, c = check_images(operation, sizes(operation, "x", x_shape))
    check_one_size(size, scale_factor, operation)
    scales: tuple[float | None, float | None] = (None, None)
    if size is not None:
        result = pair(size, f"{operation}: size")
    else:
        scales = high, wide = scale_pair(scale_factor, f"{operation}: scale_factor")
        result = _scaled(h, high), _scaled(w, wide)
        if min(result) < 1:
            raise ShapeError(
                f"{operation}: nothing is left of images of {h} x {w} pixels with "
                f"scale_factor={scale_factor!r}"
            )
    check_elements(operation, "the result", (n, *result, c))
    return result, scales


def _scaled(size: int, scale: float) -> int:
    return math.floor(min(size * scale, float(MAX_ELEMENTS + 1)))


def check_one_size(
    size: PairLike | None, scale_factor: ScaleLike | None, operation: str
) -> None:
    """Raise ArgumentError unless just one of the two is given."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError(
            f"{operation}: give either size or scale_factor, got size={size!r} and "
            f"scale_factor={scale_factor!r}"
        )


def scale_pair(scale: ScaleLike | None, name: str) -> tuple[float, float]:
    """Return a positive number or a pair of them as a pair; ShapeError for others."""
    both = scale if isinstance(scale, (tuple, list)) else (scale, scale)
    if len(both) != 2 or not all(map(is_positive, both)):
        raise ShapeError(
            f"{name} must be a positive number or a pair of them, got {scale!r}"
        )
    return float(both[0]), float(both[1])


def upsample_sources(
    size: int, output: int, scale: float | None, bilinear: bool, align_corners: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, of each pixel along an axis of the result, what it is made of.

    The pixels of the input before and behind its place there, and the share of the
    second. The step between places is 1 / scale; without a scale, or where an axis
    keeps its size (which PyTorch copies), the quotient of the sizes. The middles of
    pixels lie at half numbers, so that both images cover the same square; with
    `align_corners` the middles of their corner pixels lie on each other. "nearest"
    takes the pixel in which the upper left corner lies, as PyTorch does.
    """
    place = np.arange(output)
    if output == size:
        scale = None
    if not bilinear:
        low = place * size // output if scale is None else (place / scale).astype(int)
        low = np.minimum(low, size - 1)
        return low, low, np.zeros(output)
    if align_corners:
        source = place * ((size - 1) / max(output - 1, 1))
    else:
        step = size / output if scale is None else 1 / scale
        source = np.maximum((place + 0.5) * step - 0.5, 0)
    low = np.minimum(source.astype(int), size - 1)
    high = np.minimum(low + 1, size - 1)
    return low, high, np.where(low < high, source - low, 0)


@lru_cache(maxsize=_KEPT)
def upsample_taps(
    size: int,
    output: int,
    scale: float | None,
    bilinear: bool,
    align_corners: bool,
    dtype: np.dtype,
    backward: bool,
) -> Taps:
    """Return `upsample_sources` as taps, or their gradient."""
    low, _, share = upsample_sources(size, output, scale, bilinear, align_corners)
    taps = Taps(low, 1 + (share > 0), np.stack([1 - share, share], 1))
    return _ready(taps, size, dtype, backward)


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
