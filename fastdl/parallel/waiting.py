"""Waiting for messages without keeping others from the cores."""

from __future__ import annotations

import time
from typing import Any

_SPIN = 2e-4  # seconds
_SLEEP = 5e-5
_SLOWEST = 2e8  # bytes a second that move while this process asks


def wait(request: Any, size: int = 0) -> None:
    """Wait until an operation of MPI has ended.

    Parameters
    ----------
    request : mpi4py.MPI.Request
        The operation.
    size : int
        How many bytes travel, with those of other operations: in shared memory they
        move only while both ask.

    Notes
    -----
    MPI itself asks again and again. Where processes outnumber the cores, that uses up
    the time slice of the one that waits, and the other, which has the message, comes
    late; one that sleeps is woken at once.
    """
    end = time.perf_counter() + _SPIN + size / _SLOWEST
    while not request.Test():
        if time.perf_counter() > end:
            time.sleep(_SLEEP)
