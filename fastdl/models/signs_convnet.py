"""The network for hand signs."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import nn
from fastdl.models.registry import register


@register
def signs_convnet(
    classes: int = 6, channels: Sequence[int] = (32, 64, 128), dropout: float = 0.3
) -> nn.Sequential:
    """Blocks of convolution, batch norm, ReLU and pooling, then a global average.

    Parameters
    ----------
    classes : int
        Number of outputs.
    channels : sequence of int
        Filters of each block; every block halves the image.
    dropout : float
        Probability to drop before the last layer.
    """
    model = nn.Sequential()
    for filters in channels:
        model.append(nn.Conv2d(None, filters, 3, padding="same", bias=False))
        model.append(nn.BatchNorm2d(None)).append(nn.ReLU()).append(nn.MaxPool2d(2))
    model.append(nn.GlobalAvgPool2d()).append(nn.Dropout(dropout))
    return model.append(nn.Linear(None, classes))
