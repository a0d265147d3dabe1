"""LeNet-5."""

from __future__ import annotations

from fastdl import nn
from fastdl.models.blocks import conv_block, dense_block
from fastdl.models.registry import register


@register
def lenet5(classes: int = 10, padding: int = 2) -> nn.Sequential:
    """LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to documents").

    With the usual simplifications: average pooling has no weights, every filter of the
    second convolution reads all channels, and the outputs are logits instead of radial
    basis functions.
    61,706 parameters for one grey channel and 10 classes.

    Parameters
    ----------
    classes : int
        Number of outputs.
    padding : int
        Around the first convolution: 2 for 28 x 28 pixels, 0 for 32 x 32.
    """
    return nn.Sequential(
        *conv_block(6, 5, padding=padding, activation="tanh"),
        nn.AvgPool2d(2),
        *conv_block(16, 5, padding=0, activation="tanh"),
        nn.AvgPool2d(2),
        nn.Flatten(),
        *dense_block(120, activation="tanh"),
        *dense_block(84, activation="tanh"),
        nn.Linear(None, classes),
    )
