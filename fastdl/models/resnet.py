"""ResNet for pictures of 224 x 224 pixels (He et al. 2015, section 4.1, table 1).

The names of the weights are torchvision's: conv1.weight, layer2.0.downsample.1.bias,
fc.weight. So are the initial weights of the convolutions, of variance 2 / fan_out. The
last layer follows a global average, so pictures of other sizes fit too. Those of 32 x
32 pixels would have one pixel left; for them see `fastdl.models.cifar_resnet`.
"""

from __future__ import annotations

from fastdl import nn
from fastdl.models.convolution import convolution, divisible
from fastdl.models.registry import register
from fastdl.models.residual import BasicBlock, Bottleneck


def _resnet(
    block: type[BasicBlock | Bottleneck],
    counts: tuple[int, int, int, int],
    classes: int,
    width_mult: float,
) -> nn.Sequential:
    """Return four stages of `counts` blocks; each but the first halves the image."""
    width = divisible(64, width_mult)

    def stage(number: int) -> nn.Sequential:
        inner = width * 2**number
        channels = block.expansion * inner
        first = block(channels // 2, inner, 2) if number else block(width, inner)
        rest = [block(channels, inner) for _ in range(1, counts[number])]
        return nn.Sequential(first, *rest)

    return nn.Sequential(
        {
            "conv1": convolution(None, width, 7, stride=2),
            "bn1": nn.BatchNorm2d(width),
            "relu": nn.ReLU(),
            "maxpool": nn.MaxPool2d(3, stride=2, padding=1),
            "layer1": stage(0),
            "layer2": stage(1),
            "layer3": stage(2),
            "layer4": stage(3),
            "avgpool": nn.GlobalAvgPool2d(),
            "fc": nn.Linear(
                block.expansion * 8 * width, classes, weight_init="glorot_normal"
            ),
        }
    )


@register
def resnet18(classes: int = 1000, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-18: 2 + 2 + 2 + 2 basic blocks.

    Parameters
    ----------
    classes : int
        Number of outputs.
    width_mult : float
        Multiplies the channels of every layer, 64 in the first stage; they are rounded
        to multiples of 8.
    """
    return _resnet(BasicBlock, (2, 2, 2, 2), classes, width_mult)


@register
def resnet34(classes: int = 1000, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-34: 3 + 4 + 6 + 3 basic blocks; parameters as in `resnet18`."""
    return _resnet(BasicBlock, (3, 4, 6, 3), classes, width_mult)


@register
def resnet50(classes: int = 1000, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-50: 3 + 4 + 6 + 3 bottlenecks; parameters as in `resnet18`."""
    return _resnet(Bottleneck, (3, 4, 6, 3), classes, width_mult)


@register
def resnet101(classes: int = 1000, width_mult: float = 1.0) -> nn.Sequential:
    """ResNet-101: 3 + 4 + 23 + 3 bottlenecks; parameters as in `resnet18`."""
    return _resnet(Bottleneck, (3, 4, 23, 3), classes, width_mult)
