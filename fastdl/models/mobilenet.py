"""MobileNet v1 and v2: networks for phones, from depthwise convolutions.

A depthwise convolution filters each channel alone, and a 1 x 1 convolution mixes the
channels: together about a ninth of the work of a 3 x 3 convolution. `width_mult`
multiplies the channels of every layer; the work follows its square.
"""

from __future__ import annotations

from fastdl import nn
from fastdl.models.convolution import convolution_norm, divisible
from fastdl.models.head import with_head
from fastdl.models.inverted_residual import InvertedResidual
from fastdl.models.registry import register


def _separable(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return a depthwise and a 1 x 1 convolution, each with norm and ReLU."""
    return nn.Sequential(
        *convolution_norm(in_channels, in_channels, 3, stride, groups=in_channels),
        *convolution_norm(in_channels, out_channels, 1),
    )


@register
def mobilenet_v1(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.001
) -> nn.Sequential:
    """MobileNet (Howard et al. 2017, "MobileNets", table 1): separable convolutions.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult : float
        Multiplies the channels of every layer, which stay multiples of 8; the paper's
        alpha, 1, 0.75, 0.5 or 0.25 there.
    dropout : float
        Probability to drop before the last layer.
    """
    # Channels and stride of each separable convolution.
    layers = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    layers += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    channels = divisible(32, width_mult)
    features = nn.Sequential(convolution_norm(None, channels, 3, stride=2))
    for filters, stride in layers:
        out_channels = divisible(filters, width_mult)
        features.append(_separable(channels, out_channels, stride))
        channels = out_channels
    return with_head(features, channels, classes, dropout)


@register
def mobilenet_v2(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.2
) -> nn.Sequential:
    """MobileNetV2 (Sandler et al. 2018, table 2): inverted residuals.

    The names of the weights are torchvision's: features.1.conv.0.0.weight,
    classifier.1.bias.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult : float
        Multiplies the channels of every layer, which stay multiples of 8; those of the
        last convolution, 1280, become only more.
    dropout : float
        Probability to drop before the last layer.
    """
    # Expansion, channels, number of blocks, stride of the first.
    stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    channels = divisible(32, width_mult)
    features = nn.Sequential(
        convolution_norm(None, channels, 3, stride=2, activation=nn.ReLU6)
    )
    for expansion, filters, count, first_stride in stages:
        out_channels = divisible(filters, width_mult)
        for place in range(count):
            stride = 1 if place else first_stride
            features.append(InvertedResidual(channels, out_channels, stride, expansion))
            channels = out_channels
    last = divisible(1280, max(1.0, width_mult))
    features.append(convolution_norm(channels, last, 1, activation=nn.ReLU6))
    return with_head(features, last, classes, dropout)
