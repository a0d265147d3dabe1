"""VGG (Simonyan, Zisserman 2015, "Very deep convolutional networks", table 1).

Nothing but 3 x 3 convolutions and pooling: five stages, each of which halves the image
and doubles the channels up to 512, then three dense layers. ``_bn`` stands for a batch
norm after each convolution. The names of the weights are torchvision's:
features.0.weight, classifier.6.bias.
"""

from __future__ import annotations

from fastdl import nn
from fastdl.models.convolution import divisible
from fastdl.models.registry import register

# Convolutions of each stage, by the number of layers with weights.
_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def _vgg(
    layers: int, norm: bool, classes: int, width_mult: float, dropout: float
) -> nn.Sequential:
    features = nn.Sequential()
    channels: int | None = None
    for filters, count in zip((64, 128, 256, 512, 512), _STAGES[layers], strict=True):
        out_channels = divisible(filters, width_mult)
        for _ in range(count):
            features.append(nn.Conv2d(channels, out_channels, 3, padding=1))
            if norm:
                features.append(nn.BatchNorm2d(out_channels))
            features.append(nn.ReLU())
            channels = out_channels
        features.append(nn.MaxPool2d(2))
    units = divisible(4096, width_mult)
    return nn.Sequential(
        {
            "features": features,
            "avgpool": nn.AdaptiveAvgPool2d(7),
            "flatten": nn.Flatten(),
            "classifier": nn.Sequential(
                *(nn.Linear(7 * 7 * out_channels, units), nn.ReLU()),
                *(nn.Dropout(dropout), nn.Linear(units, units), nn.ReLU()),
                nn.Dropout(dropout),
                nn.Linear(units, classes, weight_init="glorot_normal"),
            ),
        }
    )


@register
def vgg11(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-11, configuration A.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult : float
        Multiplies the channels and units of every layer; they are rounded to multiples
        of 8.
    dropout : float
        Probability to drop after each of the first two dense layers.
    """
    return _vgg(11, False, classes, width_mult, dropout)


@register
def vgg11_bn(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-11 with batch norms; parameters as in `vgg11`."""
    return _vgg(11, True, classes, width_mult, dropout)


@register
def vgg13(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-13, configuration B; parameters as in `vgg11`."""
    return _vgg(13, False, classes, width_mult, dropout)


@register
def vgg13_bn(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-13 with batch norms; parameters as in `vgg11`."""
    return _vgg(13, True, classes, width_mult, dropout)


@register
def vgg16(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-16, configuration D; parameters as in `vgg11`."""
    return _vgg(16, False, classes, width_mult, dropout)


@register
def vgg16_bn(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-16 with batch norms; parameters as in `vgg11`."""
    return _vgg(16, True, classes, width_mult, dropout)


@register
def vgg19(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-19, configuration E; parameters as in `vgg11`."""
    return _vgg(19, False, classes, width_mult, dropout)


@register
def vgg19_bn(
    classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """VGG-19 with batch norms; parameters as in `vgg11`."""
    return _vgg(19, True, classes, width_mult, dropout)
