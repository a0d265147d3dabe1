"""The dropout layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastdl import functional as F
from fastdl import random
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module
from fastdl.nn.registry import register


@register
class Dropout(Module):
    """Inverted dropout (Srivastava et al. 2014): drop elements while training.

    Each element is zero with probability p, else it is multiplied by 1 / (1 - p), so
    that the mean stays. In evaluation it is the identity.

    The mask is a function of a seed, drawn when the layer is made, and of the count of
    elements seen so far: every step has a new mask, and the same seed gives the same
    run. Both numbers are saved as the buffer ``random_state``, so a resumed run goes on
    as an uninterrupted one.

    Parameters
    ----------
    p : float
        Probability to drop, 0 <= p < 1 (``1 - keep_prob`` in the course).

    Raises
    ------
    ArgumentError
        p is outside [0, 1).
    """

    random_state: np.ndarray

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p < 1:
            raise ArgumentError(
                f"Dropout: p is the probability to drop, 0 <= p < 1; got {p}"
            )
        self.p = p
        state = np.array([random.new_seed(), 0], np.uint64)
        self.register_buffer("random_state", state)

    def forward(self, x: Any) -> Tensor:
        """Drop elements of x, of any shape, when training."""
        seed, offset = self.random_state.tolist()
        if self.training:
            self.random_state[1] += np.uint64(math.prod(x.shape))
        return F.dropout(x, self.p, self.training, seed=seed, offset=offset)
