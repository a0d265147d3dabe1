"""Layers and blocks of fastdl as those of the peer, with the same names.

Import it only where the peer is installed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from fastdl import models, nn


def twin(module: nn.Module) -> Any:
    """Return a module of the peer with the same layers and names, and fresh weights."""
    if isinstance(module, nn.Sequential):
        layers = {name: twin(layer) for name, layer in module.named_children()}
        return torch.nn.Sequential(OrderedDict(layers))
    return _LAYERS[type(module)](module)


def _conv2d(layer: nn.Conv2d) -> Any:
    return torch.nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
    )


def _conv_transpose2d(layer: nn.ConvTranspose2d) -> Any:
    return torch.nn.ConvTranspose2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        bias=layer.bias is not None,
    )


def _linear(layer: nn.Linear) -> Any:
    return torch.nn.Linear(*layer.weight.shape, bias=layer.bias is not None)


def _batchnorm2d(layer: nn.BatchNorm2d) -> Any:
    return torch.nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum)


def _max_pool2d(layer: nn.MaxPool2d) -> Any:
    return torch.nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding)


class _Mean(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mean((2, 3))


class _Block(torch.nn.Module):
    """Base of blocks: the twins of the layers inside, by the same names."""

    _optional = ""  # None where the block has no such layer

    def __init__(self, block: Any) -> None:
        super().__init__()
        if self._optional:
            setattr(self, self._optional, None)
        for name, layer in block.named_children():
            setattr(self, name, twin(layer))


class _BasicBlock(_Block):
    _optional = "downsample"

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))
        y += x if self.downsample is None else self.downsample(x)
        return torch.relu_(y)


class _Bottleneck(_Block):
    _optional = "downsample"

    def forward(self, x: Any) -> Any:
        y = torch.relu_(self.bn1(self.conv1(x)))
        y = torch.relu_(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return torch.relu_(y)


class _ResidualBlock(_Block):
    _optional = "shortcut"

    def __init__(self, block: models.ResidualBlock) -> None:
        super().__init__(block)
        self.stride = block.stride
        self.more = block.out_channels - block.in_channels

    def forward(self, x: Any) -> Any:
        y = self.norm2(self.conv2(torch.relu_(self.norm1(self.conv1(x)))))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.more or self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
            x = F.pad(x, (0, 0, 0, 0, 0, self.more))
        y += x
        return torch.relu_(y)


class _InvertedResidual(_Block):
    def __init__(self, block: models.InvertedResidual) -> None:
        super().__init__(block)
        self.has_skip = block.has_skip

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.has_skip else self.conv(x)


class _MBConv(_Block):
    _optional = "stochastic_depth"

    def forward(self, x: Any) -> Any:
        y = self.block(x)
        return y if self.stochastic_depth is None else self.stochastic_depth(y).add_(x)


class _SqueezeExcitation(_Block):
    def forward(self, x: Any) -> Any:
        mean = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.fc2(F.silu(self.fc1(mean), inplace=True)))


class _UNet(_Block):
    def forward(self, x: Any) -> Any:
        x, skips = self.down[0](x), []
        for block in self.down[1:]:
            skips.append(x)
            x = block(self.pool(x))
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), up(x)], 1))
        return self.head(x)


class _DropPath(torch.nn.Module):
    def __init__(self, layer: nn.DropPath) -> None:
        super().__init__()
        self.p = layer.p

    def forward(self, x: Any) -> Any:
        if not self.training or self.p == 0:
            return x
        kept = x.new_empty((len(x), 1, 1, 1)).bernoulli_(1 - self.p)
        return x * kept.div_(1 - self.p)


_LAYERS: dict[type, Callable[[Any], Any]] = {
    models.BasicBlock: _BasicBlock,
    models.Bottleneck: _Bottleneck,
    models.InvertedResidual: _InvertedResidual,
    models.MBConv: _MBConv,
    models.ResidualBlock: _ResidualBlock,
    models.SqueezeExcitation: _SqueezeExcitation,
    models.UNet: _UNet,
    nn.AdaptiveAvgPool2d: lambda layer: torch.nn.AdaptiveAvgPool2d(layer.output_size),
    nn.AvgPool2d: lambda layer: torch.nn.AvgPool2d(layer.kernel_size),
    nn.BatchNorm2d: _batchnorm2d,
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.DropPath: _DropPath,
    nn.Dropout: lambda layer: torch.nn.Dropout(layer.p),
    nn.Flatten: lambda layer: torch.nn.Flatten(),
    nn.GlobalAvgPool2d: lambda layer: _Mean(),
    nn.Linear: _linear,
    nn.MaxPool2d: _max_pool2d,
    nn.ModuleList: lambda layer: torch.nn.ModuleList(map(twin, layer)),
    nn.ReLU: lambda layer: torch.nn.ReLU(inplace=True),
    nn.ReLU6: lambda layer: torch.nn.ReLU6(inplace=True),
    nn.SiLU: lambda layer: torch.nn.SiLU(inplace=True),
    nn.Tanh: lambda layer: torch.nn.Tanh(),
}
