"""The inverted residual block of MobileNetV2 (Sandler et al. 2018, section 3.3).

A bottleneck turned inside out: the skip joins the few channels outside, and a depthwise
convolution works on the many inside. Nothing follows the last convolution, since a ReLU
on few channels would lose information (section 3.2, linear bottlenecks).
"""

from __future__ import annotations

from collections.abc import Callable

from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.models.convolution import convolution, convolution_norm
from fastdl.shapes import integer


def expanded(
    in_channels: int,
    hidden: int,
    kernel_size: int,
    stride: int,
    activation: Callable[[], nn.Module],
) -> list[nn.Module]:
    """Return a 1 x 1 convolution to more channels and a depthwise one.

    Each has its norm and activation; the first is left out if `hidden` is not more.
    """
    layers: list[nn.Module] = []
    if hidden != in_channels:
        layers.append(convolution_norm(in_channels, hidden, 1, activation=activation))
    layers.append(
        convolution_norm(
            hidden, hidden, kernel_size, stride, groups=hidden, activation=activation
        )
    )
    return layers


@nn.register
class InvertedResidual(nn.Module):
    """A 1 x 1 convolution to more channels, a depthwise one, a 1 x 1 one to few.

    x is added where y has its shape. The last norm does that in the same kernel, so a
    hook on it sees the sum.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x and of y.
    stride : int
        Of the depthwise convolution; 2 halves the image.
    expansion : int
        Channels inside, in multiples of `in_channels`; 1 leaves the first convolution
        out.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, expansion: int = 6
    ) -> None:
        self.in_channels = integer(in_channels, "InvertedResidual: in_channels")
        self.out_channels = integer(out_channels, "InvertedResidual: out_channels")
        self.stride = integer(stride, "InvertedResidual: stride")
        self.expansion = integer(expansion, "InvertedResidual: expansion")
        hidden = in_channels * expansion
        self.conv = nn.Sequential(
            *expanded(in_channels, hidden, 3, stride, nn.ReLU6),
            convolution(hidden, out_channels, 1),
            nn.BatchNorm2d(out_channels),
        )
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, in_channels) to (n, h / stride, w / stride, out_channels)."""
        *layers, norm = self.conv
        y = x
        for layer in layers:
            y = layer(y)
        return norm(y, residual=x if self.has_skip else None)
