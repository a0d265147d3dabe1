"""What the layers with a weight and a bias share."""

from __future__ import annotations

import math
from typing import Any

from fastdl.nn import init
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.typing import Shape


class Affine(Module):
    """Base of `Linear` and `Conv2d`.

    Weights start by the function of `fastdl.nn.init` that `weight_init` names, biases
    at zero. A layer cannot know what follows it, so the default is right before ReLU;
    `fastdl.models.dense_block` and `conv_block` choose by their activation.

    The forward method takes ``activation=``, by which `Sequential` lets the kernel
    apply the activation that follows.
    """

    weight: Parameter
    bias: Parameter | None = None
    _parameter_names = ("weight", "bias")

    def __init__(self, use_bias: bool, weight_init: str) -> None:
        init.method(weight_init)  # a misspelt name shows on the line that wrote it
        self.weight_init = weight_init
        self._use_bias = use_bias
        self._pending = True

    def _set_weight(self, shape: Shape) -> None:
        self.weight = Parameter(init.method(self.weight_init)(shape))
        self.bias = Parameter(init.zeros(shape[-1:])) if self._use_bias else None
        self._pending = False

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this layer again."""
        return super().config() | {"bias": self._use_bias}

    def multiply_adds(self, output_shape: Shape) -> int:
        """Count one multiply-add for each weight and each place of the output."""
        return self.weight.size * math.prod(output_shape[:-1])
