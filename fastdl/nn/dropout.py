"""Dropout layers: of elements, of whole channels, and of whole examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastdl import functional as F
from fastdl import random, shards
from fastdl.autograd import Tensor, as_tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.shapes import is_in, is_positive
from fastdl.typing import ArrayLike, Shape, TensorLike


class DropLayer(Module):
    """Base of the layers, which differ in what one random number decides on."""

    random_state: np.ndarray
    _drop: Callable[..., Tensor]

    def __init__(self, p: float | None = None, *, keep_prob: float | None = None):
        self.p = self._probability(p, keep_prob)
        state = np.array([random.new_seed(), 0], np.uint64)
        self.register_buffer("random_state", state)

    def _probability(self, p: float | None, keep_prob: float | None) -> float:
        name = type(self).__name__
        if keep_prob is None:
            p = 0.5 if p is None else p
            if not is_in(p, 1):
                raise ArgumentError(
                    f"{name}: p is the probability to drop, 0 <= p < 1; got {p!r}"
                )
            return p
        if p is not None:
            raise ArgumentError(f"{name}: give p or keep_prob = 1 - p, not both")
        if not (is_positive(keep_prob) and keep_prob <= 1):
            raise ArgumentError(
                f"{name}: keep_prob is the probability to keep, 0 < keep_prob <= 1; "
                f"got {keep_prob!r}"
            )
        return round(1 - keep_prob, 12)  # 0.2, not 0.19999999999999996

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this layer again."""
        return {"p": self.p}

    def forward(self, x: TensorLike) -> Tensor:
        """Drop elements in training; the shape stays the same."""
        x = as_tensor(x)
        seed, offset = self.random_state.tolist()
        training = self._is_training
        if training:
            _, decisions = shards.spread(self._decisions(x.shape))
            self.random_state[1] += np.uint64(decisions)
        return type(self)._drop(x, self.p, training, seed=seed, offset=offset)

    def _decisions(self, shape: Shape) -> int:
        """Count the random numbers that a mask needs."""
        return math.prod(shape)


@register
class Dropout(DropLayer):
    """Inverted dropout (Srivastava et al. 2014): drop elements while training.

    Each element becomes zero with probability p; otherwise it is multiplied by
    1 / (1 - p), which keeps the mean. In evaluation the layer is the identity.

    The mask is a function of a seed, drawn when the layer is made, and of the number of
    elements seen so far: every step has a new mask, and the same seed leads to the same
    run. Both numbers are saved as the buffer ``random_state``, so a resumed run
    continues like an uninterrupted one.

    Parameters
    ----------
    p : float
        Probability to drop, 0 <= p < 1. By default 0.5.
    keep_prob : float
        1 - p, the course's name for it; instead of p.

    Raises
    ------
    ArgumentError
        A probability is out of range, or both are given.
    """

    _drop = staticmethod(F.dropout)

    def forward(self, x: TensorLike, mask: ArrayLike | None = None) -> Tensor:
        """Drop elements in training; the shape stays the same.

        With a mask, of the shape of x, where it is 0, to check a result by hand; it
        takes no random numbers. Otherwise at random.
        """
        if mask is None:
            return super().forward(x)
        return F.dropout(x, self.p, self._is_training, mask=mask)


@register
class Dropout2d(DropLayer):
    """Spatial dropout: drop whole channels of images (n, h, w, c) while training.

    For convolutional layers, whose neighbouring pixels are so similar that dropping
    single ones hardly regularises (Tompson et al. 2015).

    Parameters
    ----------
    p, keep_prob : float
        As in `Dropout`, like everything else.
    """

    _drop = staticmethod(F.dropout2d)

    def _decisions(self, shape: Shape) -> int:
        return shape[0] * shape[-1]


@register
class DropPath(DropLayer):
    """Stochastic depth: drop whole examples of (n, ...) while training.

    The last layer of a residual branch, ``skip + drop_path(branch(skip))``: an example
    that is dropped passes the block by its skip alone (Huang et al. 2016).

    Parameters
    ----------
    p, keep_prob : float
        As in `Dropout`, like everything else.
    """

    _drop = staticmethod(F.drop_path)

    def _decisions(self, shape: Shape) -> int:
        return math.prod(shape[:1])  # F.drop_path refuses a single number
