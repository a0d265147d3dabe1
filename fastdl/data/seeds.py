"""Random numbers that depend on the example, not on when or by which thread.

They are counter-based (Philox4x32-10; Salmon, Moraes, Dror, Shaw 2011): number k of an
example is an encryption of k under the seed of the example. So an example looks the
same in every batch and every thread, and a whole batch is drawn at once.
"""

from __future__ import annotations

import numpy as np

from fastdl.reference.dropout import philox4x32


def example_seeds(
    seed: int, epoch: int, examples: np.ndarray, stream: int = 0
) -> np.ndarray:
    """Return a seed for each example, uint64 (n,).

    Parameters
    ----------
    seed, epoch : int
        From 0.
    examples : ndarray of int, (n,)
        The numbers of the examples in the data set.
    stream : int
        From 0; the same examples have other seeds in another stream.
    """
    # From a child of the epoch's seed: the order of the epoch comes from the parent.
    child = np.random.SeedSequence((seed, epoch), spawn_key=(stream,))
    key = child.generate_state(2).tolist()
    low, high = _words(examples.astype(np.uint64))
    zero = np.zeros_like(low)
    words = philox4x32(np.stack([low, high, zero, zero], axis=-1), key)
    return words[:, 0] | words[:, 1] << np.uint64(32)


def uniform(seeds: np.ndarray, count: int) -> np.ndarray:
    """Return random numbers for each example, uniform in [0, 1).

    Parameters
    ----------
    seeds : ndarray of uint64, (n,)
        What a transform of a `DataLoader` receives.
    count : int
        How many for each example, from 1.

    Returns
    -------
    ndarray of float64, (n, count)
        A row depends only on its seed; a larger `count` extends it.
    """
    block = np.arange(-(-count // 4), dtype=np.uint64)
    zero = np.zeros_like(block)
    counter = np.stack([block, zero, zero, zero], axis=-1)
    low, high = _words(seeds[:, np.newaxis])
    counters = np.broadcast_to(counter, (len(seeds), *counter.shape))
    words = philox4x32(counters, (low, high)).reshape(len(seeds), 4 * len(block))
    return words[:, :count] * 2.0**-32


def _words(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper 32 bits."""
    return numbers & np.uint64(0xFFFFFFFF), numbers >> np.uint64(32)
