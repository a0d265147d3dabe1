"""Sizes of the operations that slide a window over images: conv2d, pool2d."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdl.errors import ShapeError
from fastdl.shapes.arguments import (
    Padding,
    PaddingLike,
    Pair,
    check_elements,
    check_shape,
    integer,
    padding2d,
    pair,
    sizes,
)
from fastdl.shapes.remember import remember

Shape = tuple[int, ...]


class Conv2dShape(NamedTuple):
    """Every size of one convolution."""

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    oc: int
    oh: int
    ow: int
    stride_h: int
    stride_w: int
    top: int
    bottom: int
    left: int
    right: int
    dilation_h: int
    dilation_w: int
    groups: int


class Pool2dShape(NamedTuple):
    """Every size of one pooling."""

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    oh: int
    ow: int
    stride_h: int
    stride_w: int
    top: int
    bottom: int
    left: int
    right: int
    beyond_h: int  # pixels of the last window behind the padding; part of `bottom`
    beyond_w: int


@remember
def conv2d(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: PaddingLike = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    operation: str = "conv2d",
) -> Conv2dShape:
    """Return every size of a convolution, after checking them.

    Along each axis the output has floor((size + padding - window) / stride) + 1
    pixels, with window = dilation * (kernel - 1) + 1; with "same" padding it has
    ceil(size / stride), and an odd pixel of padding goes to the bottom or right.

    A stride or a dilation larger than the padded input comes back cut to its size,
    which changes nothing: there is one window, or one tap. So all sizes are bounded
    by those of arrays, and these by `MAX_ELEMENTS`.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    weight_shape
        (kh, kw, c / groups, oc).
    stride, dilation
        An integer >= 1 or a pair of them (vertical, horizontal).
    padding
        See `padding2d`.
    groups
        Divides c and oc; c for a depthwise convolution.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When anything does not fit, or an array would be larger than any memory.
    """
    x_shape = sizes(operation, "x", x_shape)
    weight_shape = sizes(operation, "weight", weight_shape)
    stride = pair(stride, f"{operation}: stride")
    padding = padding2d(padding, operation)
    dilation = pair(dilation, f"{operation}: dilation")
    groups = integer(groups, f"{operation}: groups")
    n, h, w, c = check_images(operation, x_shape)
    if len(weight_shape) != 4:
        raise ShapeError(
            f"{operation}: expected weight of shape (kh, kw, c / groups, oc), "
            f"got {weight_shape}"
        )
    kh, kw, group_c, oc = weight_shape
    if min(weight_shape) < 1:
        raise ShapeError(
            f"{operation}: expected every size of weight to be at least 1, "
            f"got shape {weight_shape}"
        )
    if c % groups or oc % groups:
        raise ShapeError(
            f"{operation}: groups must divide the {c} input channels and the {oc} "
            f"output channels, got groups={groups}"
        )
    if c != group_c * groups:
        raise ShapeError(
            f"{operation}: x of shape {x_shape} has {c} channels, but weight of shape "
            f"{weight_shape} with groups={groups} takes {group_c * groups}"
            + _layout_hint(x_shape, weight_shape, groups)
        )
    check_elements(operation, "weight", weight_shape)
    oh, top, bottom, stride_h, dilation_h = _axis(
        operation, "height", h, kh, dilation[0], stride[0], _side(padding, 0)
    )
    ow, left, right, stride_w, dilation_w = _axis(
        operation, "width", w, kw, dilation[1], stride[1], _side(padding, 1)
    )
    _check_arrays(
        operation, (n, top + h + bottom, left + w + right, c), (n, oh, ow, oc)
    )
    check_elements(operation, "a row of windows", (ow, kh, kw, c))
    return Conv2dShape(
        *(n, h, w, c, kh, kw, oc, oh, ow, stride_h, stride_w),
        *(top, bottom, left, right, dilation_h, dilation_w, groups),
    )


@remember
def pool2d(
    x_shape: Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: PaddingLike = 0,
    operation: str = "max_pool2d",
    rounding: str = "floor",
) -> Pool2dShape:
    """Return every size of a pooling, after checking them.

    The output sizes are those of `conv2d`, and so is what becomes of a large stride.
    Padding must be smaller than the window, so that no window lies wholly in padding.

    With the rounding "ceil", a window more covers what is left over at the bottom or
    right, if it begins inside the image or the padding at the top or left. It is as if
    there were more padding.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    kernel_size
        The window: an integer >= 1 or a pair of them (vertical, horizontal).
    stride
        As `kernel_size`; None means the size of the window.
    padding
        See `padding2d`.
    operation
        The name for the messages.
    rounding
        "floor" or "ceil".

    Raises
    ------
    ShapeError
        When anything does not fit, or an array would be larger than any memory.
    """
    n, h, w, c = check_images(operation, sizes(operation, "x", x_shape))
    kh, kw = pair(kernel_size, f"{operation}: kernel_size")
    stride = (kh, kw) if stride is None else pair(stride, f"{operation}: stride")
    padding = padding2d(padding, operation)
    oh, top, bottom, stride_h, _ = _axis(
        operation, "height", h, kh, 1, stride[0], _side(padding, 0), rounding
    )
    ow, left, right, stride_w, _ = _axis(
        operation, "width", w, kw, 1, stride[1], _side(padding, 1), rounding
    )
    if max(top, bottom) >= kh or max(left, right) >= kw:
        raise ShapeError(
            f"{operation}: padding must be smaller than the window of {kh} x {kw}, "
            f"got {((top, bottom), (left, right))}"
        )
    beyond_h = max(0, (oh - 1) * stride_h + kh - top - h - bottom)
    beyond_w = max(0, (ow - 1) * stride_w + kw - left - w - right)
    bottom, right = bottom + beyond_h, right + beyond_w
    _check_arrays(operation, (n, top + h + bottom, left + w + right, c), (n, oh, ow, c))
    return Pool2dShape(
        *(n, h, w, c, kh, kw, oh, ow, stride_h, stride_w),
        *(top, bottom, left, right, beyond_h, beyond_w),
    )


def pool2d_counts(
    s: Pool2dShape, count_include_pad: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return (oh,) and (ow,): a window's mean is its sum over their product.

    Rows and columns behind the padding, in windows that "ceil" adds, never count.
    """

    def axis(
        size: int, kernel: int, output: int, stride: int, before: int, after: int
    ) -> np.ndarray:
        first = np.arange(output) * stride - before
        end = first + kernel
        if count_include_pad:
            return np.minimum(end, size + after) - first
        return np.minimum(end, size) - np.maximum(first, 0)

    return (
        axis(s.h, s.kh, s.oh, s.stride_h, s.top, s.bottom - s.beyond_h),
        axis(s.w, s.kw, s.ow, s.stride_w, s.left, s.right - s.beyond_w),
    )


def has_equal_counts(s: Pool2dShape, count_include_pad: bool) -> bool:
    """Return whether the mean of each window is its sum over kh * kw."""
    if s.beyond_h or s.beyond_w:
        return False
    return count_include_pad or not (s.top or s.bottom or s.left or s.right)


def argmax_dtype(s: Pool2dShape, operation: str) -> np.dtype[Any]:
    """Return the type of a place in a window: uint8 if that is enough, else int32.

    Raises
    ------
    ShapeError
        The window has more than 2**31 pixels.
    """
    pixels = s.kh * s.kw
    if pixels > 2**31:
        raise ShapeError(
            f"{operation}: the place of the maximum has 31 bits, but the window of "
            f"{s.kh} x {s.kw} has {pixels:,} pixels"
        )
    return np.dtype(np.uint8 if pixels <= 256 else np.int32)


def check_images(operation: str, x_shape: Shape) -> Shape:
    """Check the shape of a batch of images."""
    if len(x_shape) != 4:
        hint = ""
        if len(x_shape) == 3:
            hint = (
                "; add the missing axis: x[np.newaxis] for one image, "
                "x[..., np.newaxis] for grey images without a channel axis"
            )
        raise ShapeError(
            f"{operation}: expected x of shape (n, h, w, c), got {x_shape}{hint}"
        )
    if min(x_shape[1:]) < 1 or x_shape[0] < 0:
        raise ShapeError(
            f"{operation}: expected images of at least 1 x 1 pixel and 1 channel, "
            f"got x of shape {x_shape}"
        )
    check_elements(operation, "x", x_shape)
    return x_shape


def _check_arrays(operation: str, padded: Shape, result: Shape) -> None:
    check_elements(operation, "the padded x", padded)
    check_elements(operation, "the result", result)


def _side(padding: Padding, axis: int) -> Pair | str:
    return padding if isinstance(padding, str) else padding[axis]


def _axis(
    operation: str,
    axis: str,
    size: int,
    kernel: int,
    dilation: int,
    stride: int,
    padding: Pair | str,
    rounding: str = "floor",
) -> tuple[int, int, int, int, int]:
    """Return the output's size, padding before and after, stride and dilation."""
    window = dilation * (kernel - 1) + 1
    if padding == "same":
        output = -(-size // stride)
        total = max((output - 1) * stride + window - size, 0)
        padding = (total // 2, total - total // 2)
    before, after = (0, 0) if isinstance(padding, str) else padding
    padded = before + size + after
    output = (padded - window) // stride + 1
    if rounding == "ceil":
        output = -((window - padded) // stride) + 1
        if (output - 1) * stride >= before + size:
            output -= 1
    if output < 1:
        dilated = f" (with dilation {dilation}: {window})" if dilation > 1 else ""
        raise ShapeError(
            f"{operation}: the kernel's {axis} {kernel}{dilated} is larger than the "
            f"padded input's {axis} {padded} ({before} + {size} + {after}); use a "
            "smaller kernel, more padding, or fewer pooling or strided layers before"
        )
    return output, before, after, min(stride, padded), min(dilation, padded)


def _layout_hint(x_shape: Shape, weight_shape: Shape, groups: int) -> str:
    """Recognise arrays that come from a library with channels first."""
    channels, filters = x_shape[3], weight_shape[2] * groups
    if hint := channels_first_hint(x_shape, filters):
        return hint
    if weight_shape[1] * groups == channels and weight_shape[2] == weight_shape[3]:
        return (
            "; weight seems to be (oc, c, kh, kw), fastdl stores (kh, kw, c, oc): "
            "use weight.transpose(2, 3, 1, 0)"
        )
    return ""


def channels_first_hint(shape: Shape, channels: int) -> str:
    """Return the end of a message if x seems to be (n, channels, h, w), else ""."""
    if len(shape) != 4 or shape[1] != channels:
        return ""
    return (
        "; x seems to be (n, c, h, w), fastdl stores (n, h, w, c): "
        "use x.transpose(0, 2, 3, 1)"
    )


def scale(
    shape: tuple[int, ...], factors: tuple[int, ...], operation: str
) -> tuple[int, int, int]:
    """Return n, pixels and c of images whose channels have factors (n, 1, ..., 1, c).

    Raises
    ------
    ShapeError
        The shapes do not fit.
    """
    if len(shape) < 2:
        raise ShapeError(f"{operation}: expected x of shape (n, ..., c), got {shape}")
    n, *pixels, c = shape
    check_shape(operation, "scale", factors, (n, *(1 for _ in pixels), c))
    return n, math.prod(pixels), c
