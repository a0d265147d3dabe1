"""LeNet-5."""

from __future__ import annotations

from fastdl import nn
from fastdl.models.registry import register


@register
def lenet5(classes: int = 10, padding: int = 2) -> nn.Sequential:
    """LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to documents").

    As usual today: average pooling without weights, every filter of the second
    convolution reads all channels, and logits instead of radial basis functions.
    61,706 parameters for one grey channel and 10 classes.

    Parameters
    ----------
    classes : int
        Number of outputs.
    padding : int
        Around the first convolution: 2 for 28 x 28 pixels, 0 for 32 x 32.
    """
    return nn.Sequential(
        nn.Conv2d(None, 6, 5, padding=padding),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(None, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(None, 120),
        nn.Tanh(),
        nn.Linear(None, 84),
        nn.Tanh(),
        nn.Linear(None, classes),
    )
