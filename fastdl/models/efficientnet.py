"""EfficientNet-B0 to B3 (Tan, Le 2019, "EfficientNet: Rethinking model scaling").

B1 to B3 are B0 with more blocks, more channels and larger pictures, scaled together.
The names of the weights are torchvision's: features.1.0.block.1.fc1.weight,
classifier.1.bias; so are eps and momentum of the batch norms, PyTorch's usual ones.
"""

from __future__ import annotations

import math

from fastdl import nn
from fastdl.errors import ArgumentError
from fastdl.models.convolution import convolution_norm, divisible
from fastdl.models.head import with_head
from fastdl.models.mbconv import MBConv
from fastdl.models.registry import register
from fastdl.shapes import is_in, is_positive

# Of B0: expansion, size of the filters, stride of the first block, channels, blocks.
_STAGES = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]
_DEEPEST = 100  # B7 has 3.1; far beyond, the blocks alone would fill the memory


def _efficientnet(
    classes: int, width_mult: float, depth_mult: float, dropout: float, drop_path: float
) -> nn.Sequential:
    """Return B0 with more channels and more blocks.

    The probability of stochastic depth rises from block to block, from 0 to nearly
    `drop_path`.
    """
    if not is_positive(depth_mult) or depth_mult > _DEEPEST:
        raise ArgumentError(
            f"depth_mult must be a number above 0, at most {_DEEPEST}, got "
            f"{depth_mult!r:.60}"
        )
    if not is_in(drop_path, 1):
        raise ArgumentError(f"drop_path must be a number in [0, 1), got {drop_path!r}")
    blocks = sum(math.ceil(count * depth_mult) for *_, count in _STAGES)
    drops = iter(drop_path * number / blocks for number in range(blocks))
    channels = divisible(32, width_mult)
    features = nn.Sequential(
        convolution_norm(None, channels, 3, stride=2, activation=nn.SiLU)
    )
    for expansion, size, stride, filters, count in _STAGES:
        stage = nn.Sequential()
        out_channels = divisible(filters, width_mult)
        for place in range(math.ceil(count * depth_mult)):
            stage.append(
                MBConv(
                    channels,
                    out_channels,
                    size,
                    1 if place else stride,
                    expansion,
                    next(drops),
                )
            )
            channels = out_channels
        features.append(stage)
    last = 4 * channels
    features.append(convolution_norm(channels, last, 1, activation=nn.SiLU))
    return with_head(features, last, classes, dropout)


@register
def efficientnet_b0(
    classes: int = 1000,
    width_mult: float = 1.0,
    depth_mult: float = 1.0,
    dropout: float = 0.2,
    drop_path: float = 0.2,
) -> nn.Sequential:
    """EfficientNet-B0, for pictures of 224 x 224 pixels.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult, depth_mult : float
        Multiply the channels of every layer, which stay multiples of 8, and the number
        of blocks in each stage, which is rounded up.
    dropout : float
        Probability to drop before the last layer.
    drop_path : float
        The largest probability of stochastic depth.
    """
    return _efficientnet(classes, width_mult, depth_mult, dropout, drop_path)


@register
def efficientnet_b1(
    classes: int = 1000,
    width_mult: float = 1.0,
    depth_mult: float = 1.1,
    dropout: float = 0.2,
    drop_path: float = 0.2,
) -> nn.Sequential:
    """EfficientNet-B1, for 240 x 240 pixels; parameters as in `efficientnet_b0`."""
    return _efficientnet(classes, width_mult, depth_mult, dropout, drop_path)


@register
def efficientnet_b2(
    classes: int = 1000,
    width_mult: float = 1.1,
    depth_mult: float = 1.2,
    dropout: float = 0.3,
    drop_path: float = 0.2,
) -> nn.Sequential:
    """EfficientNet-B2, for 260 x 260 pixels; parameters as in `efficientnet_b0`."""
    return _efficientnet(classes, width_mult, depth_mult, dropout, drop_path)


@register
def efficientnet_b3(
    classes: int = 1000,
    width_mult: float = 1.2,
    depth_mult: float = 1.4,
    dropout: float = 0.3,
    drop_path: float = 0.2,
) -> nn.Sequential:
    """EfficientNet-B3, for 300 x 300 pixels; parameters as in `efficientnet_b0`."""
    return _efficientnet(classes, width_mult, depth_mult, dropout, drop_path)
