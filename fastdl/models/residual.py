"""Residual blocks: what a block computes is added to its input (He et al. 2015).

Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun, "Deep residual learning for image
recognition". All blocks compute

::

    y = relu(x' + F(x))

F is a chain of convolutions without bias, each followed by a batch norm, with ReLUs
between. x' is x, or a projection of x where F changes its shape. The last norm adds x'
and applies the ReLU in the same kernel, so a hook on it sees y.
"""

from __future__ import annotations

from collections.abc import Callable

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError
from fastdl.models.convolution import WEIGHT_INIT, convolution
from fastdl.shapes import integer

Step = tuple[nn.Conv2d, nn.BatchNorm2d]


def _residual(x: Tensor, skip: Callable[[Tensor], Tensor], *steps: Step) -> Tensor:
    """Return relu(skip(x) + F(x)), where each step of F is a convolution and a norm."""
    *inner, (convolution, norm) = steps
    y = x
    for inner_convolution, inner_norm in inner:
        y = inner_norm(inner_convolution(y), activation="relu")
    return norm(convolution(y), activation="relu", residual=skip(x))


def _projection(
    in_channels: int, out_channels: int, stride: int, weight_init: str = WEIGHT_INIT
) -> nn.Sequential | None:
    """Return a 1 x 1 convolution with its norm; None if x and F(x) have one shape."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        convolution(in_channels, out_channels, 1, stride, weight_init=weight_init),
        nn.BatchNorm2d(out_channels),
    )


class _Block(nn.Module):
    """Base of the blocks of the ImageNet networks, with torchvision's names."""

    expansion: int  # channels of y, in multiples of the width
    downsample: nn.Sequential | None

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        name = type(self).__name__
        self.in_channels = integer(in_channels, f"{name}: in_channels")
        self.width = integer(width, f"{name}: width")
        self.stride = integer(stride, f"{name}: stride")

    def _skip(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)


@nn.register
class BasicBlock(_Block):
    """Two 3 x 3 convolutions: the block of ResNet-18 and ResNet-34 (figure 5, left).

    Parameters
    ----------
    in_channels, width : int
        Channels of x and of y.
    stride : int
        Of the first convolution; 2 halves the image.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__(in_channels, width, stride)
        self.conv1 = convolution(in_channels, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, in_channels) to (n, h / stride, w / stride, width)."""
        steps = (self.conv1, self.bn1), (self.conv2, self.bn2)
        return _residual(x, self._skip, *steps)


@nn.register
class Bottleneck(_Block):
    """1 x 1, 3 x 3 and 1 x 1 convolutions: the block of ResNet-50 and deeper ones.

    The outer ones make the channels fewer and more again, so that the 3 x 3 one is
    cheap (figure 5, right). It has the stride, which reads every pixel; the paper's
    first 1 x 1 one would skip three of four ("ResNet v1.5", as in torchvision).

    Parameters
    ----------
    in_channels, width : int
        Channels of x and of the 3 x 3 convolution; y has 4 * width.
    stride : int
        Of the 3 x 3 convolution; 2 halves the image.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__(in_channels, width, stride)
        out_channels = self.expansion * width
        self.conv1 = convolution(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, in_channels) to (n, h / stride, w / stride, 4 * width)."""
        steps = (self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)
        return _residual(x, self._skip, *steps)


@nn.register
class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions: the block of the networks for small pictures.

    Unlike `BasicBlock` it can do without projections: then x' is every `stride`-th
    pixel of x, padded with channels of zeros, and has no parameters (option A of
    section 4.1). Its layers have other names than those of `BasicBlock`, which are in
    checkpoints made before that one existed.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x and of y.
    stride : int
        Of the first convolution; 2 halves the image.
    projection : bool
        Whether the shortcut is a convolution if the shapes differ (option B).

    Raises
    ------
    ArgumentError
        Without projection the channels cannot become fewer.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        projection: bool = True,
    ) -> None:
        self.in_channels = integer(in_channels, "ResidualBlock: in_channels")
        self.out_channels = integer(out_channels, "ResidualBlock: out_channels")
        self.stride = integer(stride, "ResidualBlock: stride")
        self.projection = projection
        if not projection and in_channels > out_channels:
            raise ArgumentError(
                f"ResidualBlock: without projection the channels cannot become fewer; "
                f"got {in_channels} to {out_channels}"
            )

        init = "he_normal"
        self.conv1 = convolution(in_channels, out_channels, 3, stride, weight_init=init)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = convolution(out_channels, out_channels, 3, weight_init=init)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Sequential | None = None
        if projection:
            self.shortcut = _projection(in_channels, out_channels, stride, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, in_channels) to (n, h / stride, w / stride, out_channels)."""
        steps = (self.conv1, self.norm1), (self.conv2, self.norm2)
        return _residual(x, self._skip, *steps)

    def _skip(self, x: Tensor) -> Tensor:
        if self.shortcut is not None:
            return self.shortcut(x)
        if self.stride > 1:
            x = x[:, :: self.stride, :: self.stride]
        more = self.out_channels - self.in_channels
        return F.pad(x, [(0, 0), (0, 0), (0, 0), (0, more)]) if more else x
