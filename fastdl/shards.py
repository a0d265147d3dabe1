"""Which part of a batch this process computes, where several processes share it.

An operation that treats each example alone need not know. What depends on the whole
batch asks here: batch norm for the statistics of all examples, dropout for the place of
its examples in the stream of random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shard:
    """Neighbouring examples of a batch.

    Attributes
    ----------
    first, count, total : int
        Examples ``first`` to ``first + count - 1`` of ``total``. With ``count`` 0 the
        process computes an example of another one, which counts for nothing.
    gather : callable, optional
        ``gather(numbers) -> (shards, *numbers.shape)``: those of all shards, in order.
        None where batch norm shall use the statistics of each shard alone.
    """

    first: int
    count: int
    total: int
    gather: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def size(self) -> int:
        """How many examples the process computes, from 1."""
        return max(self.count, 1)


_current: ContextVar[Shard | None] = ContextVar("shard", default=None)


def current() -> Shard | None:
    """Return the part that is being computed; None for the whole batch."""
    return _current.get()


@contextmanager
def using(shard: Shard | None) -> Iterator[None]:
    """Compute a part of a batch in a ``with`` block."""
    before = _current.set(shard)
    try:
        yield
    finally:
        _current.reset(before)


def bounds(total: int, part: int, parts: int) -> tuple[int, int]:
    """Return the first example of a part, and the one after its last.

    The parts differ by one example at most; where there are fewer examples than parts,
    some are empty.
    """
    return -(-total * part // parts), -(-total * (part + 1) // parts)


def spread(numbers: int) -> tuple[int, int]:
    """Return how many numbers lie before those of this part, and how many there are.

    Parameters
    ----------
    numbers : int
        How many this part has, equally many for each example. If they do not go up
        evenly, as for a mask of weights, they are not about examples: all parts have
        the same ones.
    """
    shard = _current.get()
    if shard is None or numbers % shard.size:
        return 0, numbers
    each = numbers // shard.size
    return each * shard.first, each * shard.total
