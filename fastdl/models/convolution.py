"""The convolutions that the published networks are made of."""

from __future__ import annotations

from collections.abc import Callable

from fastdl import nn
from fastdl.errors import ArgumentError
from fastdl.shapes import is_positive

WEIGHT_INIT = "he_normal_fan_out"  # of every convolution before a batch norm


def convolution(
    in_channels: int | None,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 1,
    weight_init: str = WEIGHT_INIT,
) -> nn.Conv2d:
    """Return a convolution that keeps the size of a picture, or divides it by `stride`.

    It has no bias: a batch norm follows.
    """
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=False,
        weight_init=weight_init,
    )


def convolution_norm(
    in_channels: int | None,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 1,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Return a convolution with its norm and activation: ``Conv2dNormActivation``."""
    layers = [
        convolution(in_channels, out_channels, kernel_size, stride, groups),
        norm(out_channels),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def divisible(channels: float, width_mult: float = 1.0, divisor: int = 8) -> int:
    """Return a multiple of `divisor` for channels times `width_mult`.

    It is the nearest one, or the next one if that is more than 10 % fewer.
    """
    if not is_positive(width_mult):
        raise ArgumentError(
            f"width_mult must be a number above 0, got {width_mult!r:.60}"
        )
    wanted = channels * width_mult
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * wanted else rounded
