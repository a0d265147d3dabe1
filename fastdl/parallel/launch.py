"""How the processes that mpiexec started find each other, and end together."""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Any

import numpy as np

from fastdl import backend, threads
from fastdl.errors import FastdlError
from fastdl.parallel.ranks import ALONE, Ranks

# What MPICH and Intel MPI, Open MPI, and Slurm set for each process.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
_PATIENCE = 1.0  # seconds in which the first rank tells of an error that all have


def is_launched() -> bool:
    """Whether mpiexec, or the like, started this process and others with it."""
    return any(int(os.environ.get(name) or 1) > 1 for name in _SIZES)


@cache
def start() -> Ranks:
    """Return the processes that train together; this one alone without mpiexec.

    From now on an exception that nobody catches ends all of them. Each gets its share
    of the cores of its machine as threads, unless ``FASTDL_NUM_THREADS`` or
    ``OMP_NUM_THREADS`` says otherwise. A second call returns the same object.

    Raises
    ------
    FastdlError
        mpi4py is not installed.
    """
    if not is_launched():
        return ALONE
    try:
        import mpi4py
    except ImportError as error:
        raise FastdlError(
            "parallel: mpiexec started this process, but mpi4py is not installed; "
            'pip install "fastdl-cpu[mpi]"'
        ) from error
    mpi4py.rc.thread_level = "funneled"  # only the training loop calls MPI
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    _end_together()
    _share_cores(world.Split_type(MPI.COMM_TYPE_SHARED))
    return Ranks(world.Dup())


def end_all(code: int, tell: Callable[[], object]) -> None:
    """End all processes that mpiexec started, with this exit code.

    An error that all of them have is told once.

    Parameters
    ----------
    code : int
        From 1.
    tell : callable
        Writes what happened to the standard error stream.
    """
    rank = next((int(os.environ[name]) for name in _RANKS if name in os.environ), 0)
    if rank:
        time.sleep(_PATIENCE)
        print(f"rank {rank}: ", end="", file=sys.stderr)
    tell()
    sys.stdout.flush()
    sys.stderr.flush()
    with suppress(ImportError):  # then none of them waits for the others
        from mpi4py import MPI

        time.sleep(0.1)  # an mpiexec that ends at once passes on nothing
        MPI.COMM_WORLD.Abort(code)


def _end_together() -> None:
    """Make an exception that nobody catches end all processes."""
    usual = sys.excepthook

    def end(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        end_all(1, lambda: usual(kind, error, trace))

    sys.excepthook = end


def _share_cores(machine: Any) -> None:
    """Give this process its share of the cores that it has with others in common."""
    if backend.name != "compiled" or any(
        name in os.environ for name in ("FASTDL_NUM_THREADS", "OMP_NUM_THREADS")
    ):
        return
    cores = _cores()
    own = np.array([zlib.crc32(repr(cores).encode())], np.int64)
    everyone = np.empty((machine.size, 1), np.int64)
    machine.Allgather(own, everyone)
    threads.set_num_threads(max(1, len(cores) // int((everyone == own).sum())))


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
