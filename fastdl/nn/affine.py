"""What the layers with a weight and a bias share."""

from __future__ import annotations

import math
from typing import Any

from fastdl.nn import init
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter


class Affine(Module):
    """Base of `Linear` and `Conv2d`.

    Weights start by `init.he_normal` (variance 2 / fan_in, right before ReLU), biases
    at zero. The forward method takes ``activation=``, by which `Sequential` lets the
    kernel apply the activation that follows.
    """

    weight: Parameter
    bias: Parameter | None = None

    def __init__(self, use_bias: bool) -> None:
        self._use_bias = use_bias
        self._pending = True

    def _set_weight(self, shape: tuple[int, ...]) -> None:
        self.weight = Parameter(init.he_normal(shape))
        self.bias = Parameter(init.zeros(shape[-1:])) if self._use_bias else None
        self._pending = False

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this layer again."""
        return super().config() | {"bias": self._use_bias}

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Count one multiply-add for each weight and each place of the output."""
        return self.weight.size * math.prod(output_shape[:-1])
