"""Layers that change only the shape, or nothing."""

from __future__ import annotations

import math
from typing import TypeVar

from fastdl import functional as F
from fastdl.autograd import Tensor, as_tensor
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.typing import TensorLike

X = TypeVar("X")


@register
class Flatten(Module):
    """Flatten each example into a row."""

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, ...) to (n, features); the last axis varies fastest."""
        x = as_tensor(x)
        if x.ndim == 2:
            return x
        # Not -1, which is undefined for an empty batch.
        return F.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


@register
class Identity(Module):
    """Return the input: a placeholder for a layer that was removed."""

    def forward(self, x: X) -> X:
        """Return x."""
        return x
