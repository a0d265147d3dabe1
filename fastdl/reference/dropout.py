r"""Inverted dropout with a counter-based random number generator.

.. math::
    y_e = x_e \, m_e / q, \qquad dx_e = dy_e \, m_e / q, \qquad P(m_e = 1) = q

with q = keep_prob, so that y has the expectation of x and inference needs no scaling.

Element e = offset + flat index is kept when word e mod 4 of the Philox4x32-10 block
number e div 4 is below floor(q 2^32). The mask depends only on the seed and e: it is
the same for every backend, instruction set and thread count, and the backward pass
computes it again instead of storing it.

Sources: Srivastava et al. 2014 (dropout); Salmon, Moraes, Dror, Shaw, "Parallel random
numbers: as easy as 1, 2, 3", 2011 (Philox).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastdl.typing import Shape

_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = 0xFFFFFFFF


def philox4x32(counter: np.ndarray, key: Sequence[int | np.ndarray]) -> np.ndarray:
    """Return random words: Philox4x32-10.

    Parameters
    ----------
    counter
        (..., 4) words of 32 bits, as uint64.
    key
        Two words of 32 bits: integers, or arrays of uint64 that broadcast to (...).

    Returns
    -------
    numpy.ndarray
        (..., 4) words of 32 bits, as uint64.
    """
    c0, c1, c2, c3 = np.moveaxis(counter, -1, 0)
    for step in range(_ROUNDS):
        k0, k1 = (
            np.uint64(word + step * increment & _LOW)
            for word, increment in zip(key, _KEY_STEPS, strict=True)
        )
        product0, product2 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product2 >> np.uint64(32)) ^ c1 ^ k0,
            product2 & np.uint64(_LOW),
            (product0 >> np.uint64(32)) ^ c3 ^ k1,
            product0 & np.uint64(_LOW),
        )
    return np.stack([c0, c1, c2, c3], axis=-1)


def _kept(shape: Shape, keep_prob: float, seed: int, offset: int) -> np.ndarray:
    """Return the mask of the elements offset, offset + 1, ..."""
    size = math.prod(shape)
    first, last = offset // 4, -(-(offset + size) // 4)
    block = np.uint64(first) + np.arange(last - first, dtype=np.uint64)
    zero = np.zeros_like(block)
    low, high = block & np.uint64(_LOW), block >> np.uint64(32)
    counter = np.stack([low, high, zero, zero], axis=-1)
    words = philox4x32(counter, (seed & _LOW, seed >> 32 & _LOW)).reshape(-1)
    words = words[offset % 4 :][:size].reshape(shape)
    return words < np.uint64(math.floor(keep_prob * 2**32))


def dropout_forward(
    x: np.ndarray, keep_prob: float, *, seed: int, offset: int
) -> np.ndarray:
    """Return x with elements dropped at random and the others scaled up.

    Parameters
    ----------
    x
        Any shape, any float type.
    keep_prob
        The probability to keep an element, in (0, 1].
    seed
        In [0, 2**64): the stream of random numbers.
    offset
        The position of the first element in the stream, >= 0.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.
    """
    scaled = x * x.dtype.type(1 / keep_prob)
    y = np.where(_kept(x.shape, keep_prob, seed, offset), scaled, 0)
    return np.asarray(y, x.dtype)  # NumPy 1 widens scalars


def dropout_backward(
    dy: np.ndarray, keep_prob: float, *, seed: int, offset: int
) -> np.ndarray:
    """Return dx: the same mask and scale, applied to `dy`.

    Parameters
    ----------
    dy
        The gradient with respect to y.
    keep_prob, seed, offset
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        The shape and type of `dy`.
    """
    return dropout_forward(dy, keep_prob, seed=seed, offset=offset)
