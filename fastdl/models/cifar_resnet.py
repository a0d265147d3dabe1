"""Residual networks for small pictures (He et al. 2015, "Deep residual learning").

The first convolution keeps the size of a 32 x 32 picture, and the last layer follows a
global average. `resnet20` to `resnet110` are those of section 4.2, 6 n + 2 layers in
three stages whose shortcuts have no parameters. `cifar_resnet18` and `cifar_resnet34`
are the networks of section 4.1 with the first layers of a CIFAR network: 3 x 3 pixels
and no pooling, so that 4 x 4 pixels are left in the last stage.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import nn
from fastdl.models.convolution import divisible
from fastdl.models.registry import register
from fastdl.models.residual import ResidualBlock


def _resnet(
    classes: int,
    width_mult: float,
    channels: Sequence[int],
    blocks: Sequence[int],
    projection: bool,
) -> nn.Sequential:
    """Stages of `blocks` residual blocks; all stages but the first halve the image."""
    channels = [divisible(filters, width_mult) for filters in channels]
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
def resnet20(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-20 for CIFAR-10: 3 x 3 blocks of 16, 32 and 64 channels.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult : float
        Multiplies the channels of every layer, which stay multiples of 8.
    """
    return _resnet(classes, width_mult, (16, 32, 64), (3, 3, 3), False)


@register
def resnet32(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-32 for CIFAR-10: 3 x 5 blocks; parameters as in `resnet20`."""
    return _resnet(classes, width_mult, (16, 32, 64), (5, 5, 5), False)


@register
def resnet44(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-44 for CIFAR-10: 3 x 7 blocks; parameters as in `resnet20`."""
    return _resnet(classes, width_mult, (16, 32, 64), (7, 7, 7), False)


@register
def resnet56(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-56 for CIFAR-10: 3 x 9 blocks; parameters as in `resnet20`."""
    return _resnet(classes, width_mult, (16, 32, 64), (9, 9, 9), False)


@register
def resnet110(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-110 for CIFAR-10: 3 x 18 blocks; parameters as in `resnet20`."""
    return _resnet(classes, width_mult, (16, 32, 64), (18, 18, 18), False)


@register
def cifar_resnet18(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-18 for small pictures: 2 + 2 + 2 + 2 blocks of 64 to 512 channels.

    Parameters as in `resnet20`.
    """
    return _resnet(classes, width_mult, (64, 128, 256, 512), (2, 2, 2, 2), True)


@register
def cifar_resnet34(classes: int = 10, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-34 for small pictures: 3 + 4 + 6 + 3 blocks of 64 to 512 channels.

    Parameters as in `resnet20`.
    """
    return _resnet(classes, width_mult, (64, 128, 256, 512), (3, 4, 6, 3), True)
