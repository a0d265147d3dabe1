"""A background thread that stays a few items ahead of the loop that uses them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, TypeVar

from fastdl.errors import FastdlError

T = TypeVar("T")


def prefetched(items: Iterable[T], depth: int) -> Iterator[T]:
    """Yield ``items``, made by a thread up to ``depth`` items ahead.

    The thread starts with the first item and ends with the iterator: when the
    items are used up, when the loop breaks out or raises, or when an item
    cannot be made; that exception is raised here, in the consumer.

    Parameters
    ----------
    items : iterable
        Used in the background thread only.
    depth : int
        Items that may wait in the queue, from 1.

    Raises
    ------
    FastdlError
        In a forked child, which has no such thread: begin a new iteration there.
    """
    # Each entry is (item, None), (None, exception) or, at the end, None.
    queue: Queue[Any] = Queue(depth)
    stop = Event()

    def work() -> None:
        try:
            for item in items:
                queue.put((item, None))
                if stop.is_set():
                    return
            queue.put(None)
        except BaseException as error:
            queue.put((None, error))

    thread = Thread(target=work, name="fastdl-prefetch", daemon=True)
    owner = os.getpid()
    thread.start()
    try:
        while (entry := _get(queue, owner)) is not None:
            item, error = entry
            if error is not None:
                try:
                    raise error
                finally:
                    del entry, error  # they would form a cycle with the traceback
            yield item
    finally:
        if os.getpid() == owner:
            # Emptying frees a thread that waits to put; it then sees `stop`.
            # It puts at most one more entry, for which there is room.
            stop.set()
            while True:
                try:
                    queue.get_nowait()
                except Empty:
                    break
            thread.join()


def _get(queue: Queue[Any], owner: int) -> Any:
    if os.getpid() != owner:
        raise FastdlError(
            "DataLoader: this iteration began before a fork; begin a new one, "
            "iter(loader), in the child process"
        )
    return queue.get()
