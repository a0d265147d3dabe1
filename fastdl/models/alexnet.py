"""AlexNet (Krizhevsky et al. 2012), in one tower (Krizhevsky 2014)."""

from __future__ import annotations

from fastdl import nn
from fastdl.models.convolution import divisible
from fastdl.models.registry import register


@register
def alexnet(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """AlexNet of "One weird trick for parallelizing convolutional neural networks".

    Without the normalisation between channels of 2012. The names of the weights are
    torchvision's: features.0.weight, classifier.6.bias.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult : float
        Multiplies the channels and units of every layer; they are rounded to multiples
        of 8.
    dropout : float
        Probability to drop before each of the first two dense layers.
    """
    c1, c2, c3, c4, units = (
        divisible(channels, width_mult) for channels in (64, 192, 384, 256, 4096)
    )
    return nn.Sequential(
        {
            "features": nn.Sequential(
                *(nn.Conv2d(None, c1, 11, stride=4, padding=2), nn.ReLU()),
                nn.MaxPool2d(3, stride=2),
                *(nn.Conv2d(c1, c2, 5, padding=2), nn.ReLU()),
                nn.MaxPool2d(3, stride=2),
                *(nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU()),
                *(nn.Conv2d(c3, c4, 3, padding=1), nn.ReLU()),
                *(nn.Conv2d(c4, c4, 3, padding=1), nn.ReLU()),
                nn.MaxPool2d(3, stride=2),
            ),
            "avgpool": nn.AdaptiveAvgPool2d(6),
            "flatten": nn.Flatten(),
            "classifier": nn.Sequential(
                *(nn.Dropout(dropout), nn.Linear(6 * 6 * c4, units), nn.ReLU()),
                *(nn.Dropout(dropout), nn.Linear(units, units), nn.ReLU()),
                nn.Linear(units, classes, weight_init="glorot_normal"),
            ),
        }
    )
