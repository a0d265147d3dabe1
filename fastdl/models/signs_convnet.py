"""The network for hand signs."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import nn
from fastdl.models.blocks import conv_block
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
    blocks = [conv_block(filters, norm="batch", pool=2) for filters in channels]
    return nn.Sequential(
        *(layer for block in blocks for layer in block),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(None, classes),
    )
