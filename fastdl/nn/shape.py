"""Layers that change the shape alone, or nothing."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.module import Module
from fastdl.nn.registry import register

X = TypeVar("X")


@register
class Flatten(Module):
    """Make one row of each example."""

    def forward(self, x: Tensor | np.ndarray) -> Tensor:
        """Map x (n, ...) to (n, features), the last axis running fastest."""
        # Not -1: an empty batch leaves it undefined.
        return F.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


@register
class Identity(Module):
    """Return the input: a place holder for a layer taken away."""

    def forward(self, x: X) -> X:
        """Return x."""
        return x
