"""Ctrl-C and SIGTERM between two steps, never within one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_USUAL: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
# Seconds in which a second SIGTERM is the first one again: `timeout`, and what ends the
# jobs of a cluster, send it to the process and to its group.
_AGAIN = 1.0


class Terminated(SystemExit):
    """SIGTERM came: the program ends with exit code 143.

    Parameters
    ----------
    where : str
        What was going on.
    """

    def __init__(self, where: str = "") -> None:
        super().__init__(128 + signal.SIGTERM)
        self.where = where

    def __str__(self) -> str:
        return self.where


class Signals:
    """The signals that have come while `deferred_signals` holds them back.

    Attributes
    ----------
    pending : int
        The number of the first, 0 if there is none.
    """

    def __init__(self) -> None:
        self.pending = 0
        self._since = 0.0

    def note(self, number: int, _: FrameType | None) -> None:
        """Handle a signal; a second one ends the program at once."""
        if not self.pending:
            self.pending, self._since = number, time.monotonic()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        elif time.monotonic() - self._since > _AGAIN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def check(self, where: str = "") -> None:
        """Raise what the pending signal stands for, if there is one."""
        if self.pending == signal.SIGTERM:
            raise Terminated(where)
        if self.pending:
            raise KeyboardInterrupt(*filter(None, [where]))


@contextmanager
def deferred_signals(*numbers: signal.Signals) -> Iterator[Signals]:
    """Make SIGINT or SIGTERM wait until ``check`` of what this yields is called.

    That call raises KeyboardInterrupt or `Terminated`, and so does the end of the
    block. Where the program has a handler of its own, and outside the main thread,
    nothing changes.
    """
    signals = Signals()
    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [n for n in numbers if signal.getsignal(n) is _USUAL[n]]
    for number in ours:
        signal.signal(number, signals.note)
    try:
        yield signals
    finally:
        for number in ours:
            signal.signal(number, _USUAL[number])
    signals.check()
