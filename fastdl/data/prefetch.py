"""Threads that stay a few items ahead of the loop that uses them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from fastdl import backend
from fastdl.errors import FastdlError

T = TypeVar("T")


def prefetched(
    make: Callable[[int], T], numbers: Iterable[int], workers: int, depth: int
) -> Generator[T, None, None]:
    """Yield ``make(number)`` for each number, in order, made by threads.

    The threads start with the first item and end with the iterator: when the items are
    used up, when the loop breaks out or raises, or when making an item raises. That
    exception is raised again here, in the consumer.

    Parameters
    ----------
    make : callable
        Called in the threads, possibly by several at once.
    numbers : iterable of int
        The items.
    workers : int
        How many threads, from 1.
    depth : int
        How many items may be ready or in progress, from 1.

    Raises
    ------
    FastdlError
        In a forked child, which does not have the threads: start a new iteration there.
    """
    owner = os.getpid()
    pool = ThreadPoolExecutor(workers, "fastdl-prefetch", _work_alone)
    try:
        left = iter(numbers)
        waiting: deque[Future[T]] = deque(
            pool.submit(make, number) for number in islice(left, depth)
        )
        while waiting:
            if os.getpid() != owner:
                raise FastdlError(
                    "DataLoader: this iteration began before a fork; begin a new one, "
                    "iter(loader), in the child process"
                )
            item = waiting.popleft().result()
            waiting.extend(pool.submit(make, number) for number in islice(left, 1))
            yield item
    finally:
        if os.getpid() == owner:
            pool.shutdown(cancel_futures=True)


def _work_alone() -> None:
    """Leave the other cores to the training step."""
    if backend.name == "compiled":
        from fastdl.kernels.engine.runtime import work_alone

        work_alone()
