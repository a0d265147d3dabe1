"""Residual networks for small pictures (He et al. 2015, "Deep residual learning").

In all of them the first convolution keeps the size of a 32 x 32 picture, the last layer
follows a global average, and a convolution before a batch norm has no bias.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError
from fastdl.models.registry import register
from fastdl.shapes import integer


@nn.register
class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to their input (section 3.2).

    ::

        y = relu(x' + norm2(conv2(relu(norm1(conv1(x))))))

    x' is x if the shapes agree. Otherwise it is a 1 x 1 convolution of x with batch
    norm (option B of section 4.1) or, without parameters, every `stride`-th pixel of x
    padded with channels of zeros (option A). The norms add the residual and apply the
    activation themselves, so a hook on one of them sees the result after that.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x and of y.
    stride : int
        Of the first convolution; 2 halves the image.
    projection : bool
        Whether the shortcut is a convolution if the shapes differ.
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

        self.conv1 = nn.Conv2d(
            in_channels, out_channels, 3, stride=stride, padding=1, bias=False
        )
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Sequential | None = None
        if projection and (stride > 1 or in_channels != out_channels):
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, in_channels) to (n, h / stride, w / stride, out_channels)."""
        y = self.norm1(self.conv1(x), activation="relu")
        return self.norm2(self.conv2(y), activation="relu", residual=self._skip(x))

    def _skip(self, x: Tensor) -> Tensor:
        if self.shortcut is not None:
            return self.shortcut(x)
        if self.stride > 1:
            x = x[:, :: self.stride, :: self.stride]
        more = self.out_channels - self.in_channels
        return F.pad(x, [(0, 0), (0, 0), (0, 0), (0, more)]) if more else x


def _resnet(
    classes: int, channels: Sequence[int], blocks: Sequence[int], projection: bool
) -> nn.Sequential:
    """Stages of `blocks` residual blocks; all stages but the first halve the image."""
    width = channels[0]
    model = nn.Sequential(
        nn.Conv2d(None, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
    for stage, (filters, count) in enumerate(zip(channels, blocks, strict=True)):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            model.append(ResidualBlock(width, filters, stride, projection))
            width = filters
    return model.append(nn.GlobalAvgPool2d()).append(nn.Linear(width, classes))


@register
def resnet20(classes: int = 10) -> nn.Sequential:
    """ResNet-20 for CIFAR-10, with parameter-free shortcuts (section 4.2).

    269,722 parameters for 10 classes; the paper says 0.27 M.
    """
    return _resnet(classes, (16, 32, 64), (3, 3, 3), projection=False)


@register
def resnet32(classes: int = 10) -> nn.Sequential:
    """ResNet-32 for CIFAR-10: 464,154 parameters; the paper says 0.46 M."""
    return _resnet(classes, (16, 32, 64), (5, 5, 5), projection=False)


@register
def resnet18(classes: int = 10) -> nn.Sequential:
    """ResNet-18 (section 4.1) with the first layers of a CIFAR network.

    A 3 x 3 convolution without pooling replaces the 7 x 7 one, so a picture of 32 x 32
    pixels has 4 x 4 left in the last stage; shortcuts are projections. 11,173,962
    parameters for 10 classes.
    """
    return _resnet(classes, (64, 128, 256, 512), (2, 2, 2, 2), projection=True)


@register
def resnet34(classes: int = 10) -> nn.Sequential:
    """ResNet-34, adapted as `resnet18` is: 21,282,122 parameters for 10 classes."""
    return _resnet(classes, (64, 128, 256, 512), (3, 4, 6, 3), projection=True)
