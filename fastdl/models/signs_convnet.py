"""The network for hand signs."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import nn
from fastdl.models.convnet import deep_convnet
from fastdl.models.registry import register


@register
def signs_convnet(
    classes: int = 6, channels: Sequence[int] = (16, 32, 64, 128), dropout: float = 0.5
) -> nn.Sequential:
    """Blocks of convolution, batch norm, ReLU and pooling, then one dense layer.

    Parameters
    ----------
    classes : int
        Number of outputs.
    channels : sequence of int
        Filters of each block; every block halves the image.
    dropout : float
        Probability to drop before the last layer.
    """
    return deep_convnet(classes, [(filters,) for filters in channels], dropout)
