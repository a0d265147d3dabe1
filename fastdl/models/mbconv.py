"""The block of EfficientNet (Tan, Le 2019), from MnasNet (Tan et al. 2019)."""

from __future__ import annotations

from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.models.convolution import convolution_norm
from fastdl.models.inverted_residual import expanded
from fastdl.models.squeeze_excitation import SqueezeExcitation
from fastdl.shapes import integer


@nn.register
class MBConv(nn.Module):
    """An inverted residual with SiLU, squeeze-and-excitation and stochastic depth.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x and of y.
    kernel_size, stride : int
        Of the depthwise convolution; stride 2 halves the image.
    expansion : int
        Channels inside, in multiples of `in_channels`; 1 leaves the first convolution
        out. A quarter of `in_channels` passes the squeeze-and-excitation.
    drop : float
        Probability that an example passes the block by its skip alone, in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        expansion: int = 6,
        drop: float = 0.0,
    ) -> None:
        self.in_channels = integer(in_channels, "MBConv: in_channels")
        self.out_channels = integer(out_channels, "MBConv: out_channels")
        self.kernel_size = integer(kernel_size, "MBConv: kernel_size")
        self.stride = integer(stride, "MBConv: stride")
        self.expansion = integer(expansion, "MBConv: expansion")
        self.drop = drop
        hidden = in_channels * expansion
        self.block = nn.Sequential(
            *expanded(in_channels, hidden, kernel_size, stride, nn.SiLU),
            SqueezeExcitation(hidden, max(1, in_channels // 4)),
            convolution_norm(hidden, out_channels, 1, activation=None),
        )
        self.stochastic_depth: nn.DropPath | None = None
        if stride == 1 and in_channels == out_channels:
            self.stochastic_depth = nn.DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, in_channels) to (n, h / stride, w / stride, out_channels)."""
        y = self.block(x)
        return y if self.stochastic_depth is None else self.stochastic_depth(y) + x
