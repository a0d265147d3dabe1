"""Pooling layers."""

from __future__ import annotations

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.shapes import flag, output_pair, padding2d, pair
from fastdl.typing import OutputSizeLike, PaddingLike, PairLike, TensorLike


def _check(
    kernel_size: PairLike, stride: PairLike | None, padding: PaddingLike, name: str
) -> None:
    """Raise an error where the arguments fit no image, before the first pass."""
    pair(kernel_size, f"{name}: kernel_size")
    if stride is not None:
        pair(stride, f"{name}: stride")
    padding2d(padding, name)


@register
class MaxPool2d(Module):
    """Maximum over windows of each channel.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the window.
    stride : int or pair of int, optional
        Steps between windows; by default they touch without overlap.
    padding : int, pair, pair of pairs, "same" or "valid"
        As in `Conv2d`, but smaller than the window; padding never wins the maximum.
    ceil_mode : bool
        Whether a window more covers the rows and columns that are left over at the
        bottom and right.
    """

    _newer_arguments = ("ceil_mode",)

    def __init__(
        self,
        kernel_size: PairLike,
        stride: PairLike | None = None,
        padding: PaddingLike = 0,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = flag(ceil_mode, "MaxPool2d: ceil_mode")
        _check(kernel_size, stride, padding, "MaxPool2d")

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, oh, ow, c)."""
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode
        )


@register
class AvgPool2d(Module):
    """Mean over windows of each channel.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As in `MaxPool2d`.
    count_include_pad : bool
        Whether padding counts as zeros, or the mean is over the pixels of the image
        alone.
    """

    _newer_arguments = ("ceil_mode", "count_include_pad")

    def __init__(
        self,
        kernel_size: PairLike,
        stride: PairLike | None = None,
        padding: PaddingLike = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = flag(ceil_mode, "AvgPool2d: ceil_mode")
        self.count_include_pad = flag(count_include_pad, "AvgPool2d: count_include_pad")
        _check(kernel_size, stride, padding, "AvgPool2d")

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, oh, ow, c)."""
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


@register
class GlobalAvgPool2d(Module):
    """Mean over all pixels of each channel."""

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, c)."""
        return F.global_avg_pool2d(x)


@register
class AdaptiveAvgPool2d(Module):
    """Means of windows that an image is cut into, to come to a given size.

    Parameters
    ----------
    output_size : int, pair or None
        The height and width of the output; None keeps those of the input, also within a
        pair.
    """

    def __init__(self, output_size: OutputSizeLike) -> None:
        self.output_size = output_size
        output_pair(output_size, "AdaptiveAvgPool2d: output_size")

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, oh, ow, c)."""
        return F.adaptive_avg_pool2d(x, self.output_size)
