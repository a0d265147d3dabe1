"""Small convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import nn
from fastdl.models.blocks import conv_block
from fastdl.models.registry import register


@register
def convnet(classes: int = 10, dropout: float = 0.25) -> nn.Sequential:
    """Two convolutions, two poolings and dropout: the default for small images.

    Parameters
    ----------
    classes : int
        Number of outputs.
    dropout : float
        Probability to drop before the last layer.
    """
    return nn.Sequential(
        nn.Conv2d(None, 32, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(None, 64, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(None, classes),
    )


@register
def deep_convnet(
    classes: int = 10,
    stages: Sequence[Sequence[int]] = ((32,), (64, 64), (128, 128)),
    dropout: float = 0.3,
) -> nn.Sequential:
    """Stages of convolutions with batch norm and ReLU, then one dense layer.

    The architecture of VGG (Simonyan, Zisserman 2015) for small images.

    Parameters
    ----------
    classes : int
        Number of outputs.
    stages : sequence of sequence of int
        Filters of each convolution of each stage; every stage halves the image.
    dropout : float
        Probability to drop before the last layer.
    """
    layers: list[nn.Module] = []
    for *inner, last in stages:
        for filters in inner:
            layers += conv_block(filters, norm="batch")
        layers += conv_block(last, norm="batch", pool=2)
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(None, classes),
    )


@register
def strided_convnet(classes: int = 10) -> nn.Sequential:
    """Two convolutions of stride 2 and a dense layer: five times as fast as `convnet`.

    Parameters
    ----------
    classes : int
        Number of outputs.
    """
    return nn.Sequential(
        nn.Conv2d(None, 16, 5, stride=2, padding="same"),
        nn.ReLU(),
        nn.Conv2d(None, 32, 3, stride=2, padding="same"),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(None, 64),
        nn.ReLU(),
        nn.Linear(None, classes),
    )


@register
def s41(classes: int = 10) -> nn.Sequential:
    """Three convolutions that shrink 39 x 39 pixels to 7 x 7.

    The simple ConvNet of the Deep Learning Specialization (Convolutional Neural
    Networks, week 1): 39x39x3, 37x37x10, 17x17x20, 7x7x40, 1960, classes.
    """
    return nn.Sequential(
        nn.Conv2d(None, 10, 3),
        nn.ReLU(),
        nn.Conv2d(None, 20, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(None, 40, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(None, classes),
    )
