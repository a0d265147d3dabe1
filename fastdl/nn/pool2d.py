"""Pooling layers."""

from __future__ import annotations

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.shapes import output_pair, padding2d, pair
from fastdl.typing import OutputSizeLike, PaddingLike, PairLike, TensorLike


class _Pool2d(Module):
    def __init__(
        self,
        kernel_size: PairLike,
        stride: PairLike | None = None,
        padding: PaddingLike = 0,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        name = type(self).__name__
        pair(kernel_size, f"{name}: kernel_size")
        if stride is not None:
            pair(stride, f"{name}: stride")
        padding2d(padding, name)


@register
class MaxPool2d(_Pool2d):
    """Maximum over windows of each channel.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the window.
    stride : int or pair of int, optional
        Steps between windows; by default they touch without overlap.
    padding : int, pair, pair of pairs, "same" or "valid"
        As in `Conv2d`, but smaller than the window; padding never wins the maximum.
    """

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, oh, ow, c)."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)


@register
class AvgPool2d(_Pool2d):
    """Mean over windows of each channel; padding counts as zeros.

    Parameters
    ----------
    kernel_size, stride, padding
        As in `MaxPool2d`.
    """

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, oh, ow, c)."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


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
