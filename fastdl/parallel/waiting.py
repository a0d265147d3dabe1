"""Waiting for messages without keeping others from the cores."""

from __future__ import annotations

import time
from typing import Any

_SPIN = 2e-4  # seconds
_SLEEP = 5e-5
_SLOWEST = 2e8  # bytes a second that move while this process asks


def have_ended(requests: list[Any]) -> bool:
    """Whether all operations of MPI have ended."""
    return not requests or type(requests[0]).Testall(requests)


def wait(requests: list[Any], size: int = 0) -> None:
    """Wait until all operations of MPI have ended.

    Parameters
    ----------
    requests : list of mpi4py.MPI.Request
        The operations.
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
    while not have_ended(requests):
        if time.perf_counter() > end:
            time.sleep(_SLEEP)
