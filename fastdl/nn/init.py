"""Initial weights: each function returns a new float32 array of a given shape.

The variance of a weight is ``gain**2 / fan``, so that the activations of a deep network
neither explode nor vanish:

==========  =========================  ==========================  ===================
name        variance                   made for                    source
==========  =========================  ==========================  ===================
he          2 / fan_in                 ReLU and its relatives      He et al. 2015
xavier      1 / fan_in                 tanh                        LeCun et al. 1998
glorot      2 / (fan_in + fan_out)     sigmoid, tanh, softmax      Glorot, Bengio 2010
==========  =========================  ==========================  ===================

``xavier`` is the word of the Deep Learning Specialization for 1 / fan_in. PyTorch's
``xavier_normal_`` is called ``glorot_normal`` here.

To give a layer other weights than its own:
``layer.weight.data[...] = init.glorot_normal(layer.weight.shape)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastdl import backend, random
from fastdl.errors import ShapeError


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Count the inputs and outputs of one unit from the shape of its weight.

    Parameters
    ----------
    shape : sequence of int
        (in, out) of a dense layer or (kh, kw, in / groups, out) of a convolution.

    Returns
    -------
    tuple of int
        (fan_in, fan_out); the kernel's area multiplies both.

    Raises
    ------
    ShapeError
        A weight has at least 2 axes; a bias has no fans.
    """
    if len(shape) < 2:
        raise ShapeError(
            f"init: a weight has 2 axes (in, out) or 4 (kh, kw, in, out); got shape "
            f"{tuple(shape)}; use init.zeros or init.constant for a bias"
        )
    area = math.prod(shape[:-2])
    return area * shape[-2], area * shape[-1]


def normal(
    shape: Sequence[int],
    std: float = 1.0,
    mean: float = 0.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw from the normal distribution with a mean and a standard deviation.

    Without `rng` the numbers come from the library's own seed, see
    `fastdl.manual_seed`. This holds for all functions of this module.
    """
    weight = backend.empty(tuple(shape), np.float32)
    (rng or random.generator()).standard_normal(out=weight, dtype=np.float32)
    weight *= std
    weight += mean
    return weight


def uniform(
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw evenly from the interval [low, high)."""
    weight = backend.empty(tuple(shape), np.float32)
    (rng or random.generator()).random(out=weight, dtype=np.float32)
    weight *= high - low
    weight += low
    return weight


def _uniform_with_std(shape, std, rng):
    bound = math.sqrt(3) * std  # the variance of U(-b, b) is b^2 / 3
    return uniform(shape, -bound, bound, rng)


def _he_std(shape, gain):
    return gain / math.sqrt(fans(shape)[0])


def _glorot_std(shape, gain):
    return gain * math.sqrt(2 / sum(fans(shape)))


def he_normal(
    shape: Sequence[int],
    gain: float = math.sqrt(2),
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 / fan_in``.

    The default gain, for ReLU, gives 2 / fan_in: half of the activations are zero, so
    the weights carry twice the variance. It is the default of every layer.
    """
    return normal(shape, _he_std(shape, gain), rng=rng)


def he_uniform(
    shape: Sequence[int],
    gain: float = math.sqrt(2),
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw evenly with variance ``gain**2 / fan_in``; see `he_normal`."""
    return _uniform_with_std(shape, _he_std(shape, gain), rng)


def xavier_normal(
    shape: Sequence[int], gain: float = 1.0, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 / fan_in``, for tanh."""
    return he_normal(shape, gain, rng)


def xavier_uniform(
    shape: Sequence[int], gain: float = 1.0, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draw evenly with variance ``gain**2 / fan_in``, for tanh."""
    return he_uniform(shape, gain, rng)


def glorot_normal(
    shape: Sequence[int], gain: float = 1.0, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 * 2 / (fan_in + fan_out)``.

    The compromise keeps both the activations and their gradients from growing.
    """
    return normal(shape, _glorot_std(shape, gain), rng=rng)


def glorot_uniform(
    shape: Sequence[int], gain: float = 1.0, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draw evenly with variance ``gain**2 * 2 / (fan_in + fan_out)``."""
    return _uniform_with_std(shape, _glorot_std(shape, gain), rng)


def zeros(shape: Sequence[int]) -> np.ndarray:
    """Return zeros: right for a bias, fatal for a weight (all units stay alike)."""
    return constant(shape, 0.0)


def constant(shape: Sequence[int], value: float) -> np.ndarray:
    """Return an array filled with one value."""
    weight = backend.empty(tuple(shape), np.float32)
    weight.fill(value)
    return weight
