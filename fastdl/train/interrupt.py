"""Ctrl-C between two steps, never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Make Ctrl-C wait until the function that this yields is called.

    That call then raises KeyboardInterrupt, and so does the end of the block. A second
    Ctrl-C does not wait. Outside the main thread, or if the program has a handler of
    its own, nothing changes.
    """
    own_handler = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    if own_handler or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    pending = False

    def note(*_: object) -> None:
        nonlocal pending
        if pending:
            raise KeyboardInterrupt
        pending = True

    def check() -> None:
        if pending:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    check()
