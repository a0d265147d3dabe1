"""The network for the small digits."""

from __future__ import annotations

from fastdl import nn
from fastdl.models.blocks import conv_block
from fastdl.models.registry import register


@register
def digits_convnet(classes: int = 10, dropout: float = 0.5) -> nn.Sequential:
    """Three convolutions with batch norm and only one pooling, for 8 x 8 pixels.

    Parameters
    ----------
    classes : int
        Number of outputs.
    dropout : float
        Probability to drop before the last layer.
    """
    return nn.Sequential(
        *conv_block(32, norm="batch"),
        *conv_block(64, norm="batch", pool=2),
        *conv_block(128, norm="batch"),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(None, classes),
    )
