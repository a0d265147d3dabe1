"""How many threads compute, and what runs them."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from fastdl import backend
from fastdl.errors import FastdlError


class Runtime(NamedTuple):
    """What runs the parallel loop of the kernels, and why."""

    name: str
    """"openmp", "pool", or "numpy" where the NumPy reference computes."""

    why: str
    """Such as "the default"."""

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


def set_num_threads(count: int) -> None:
    """Use up to `count` threads, from 1, in each compiled kernel.

    At import the environment variable ``FASTDL_NUM_THREADS`` sets the number, else
    ``OMP_NUM_THREADS``; without them all cores are used. Where threadpoolctl (joblib,
    scikit-learn) gives OpenMP another number than its own default, that is a limit here
    too. The results have the same bits for any number.

    Raises
    ------
    FastdlError
        `count` is no integer from 1; or the NumPy reference computes, whose threads are
        those of NumPy's linear algebra.
    """
    _compiled("set_num_threads").set_num_threads(count)


def get_num_threads() -> int:
    """Return the number of threads that a large kernel uses; 1 for the reference."""
    if backend.name != "compiled":
        return 1
    return _compiled("get_num_threads").get_num_threads()


def set_runtime(name: str) -> None:
    """Choose what runs the parallel loop of the compiled kernels.

    The bits of a result are the same. The environment variable ``FASTDL_RUNTIME``
    chooses at import. The page docs/kernels.md has figures, and says when to change.

    Parameters
    ----------
    name : str
        "openmp"; "pool", threads of our own, whose caller never waits for one that
        another program keeps from its core; or "auto", the default: OpenMP until it
        waits far longer than it works, then the pool for the rest of the process.

    Raises
    ------
    FastdlError
        The name is unknown; OpenMP is not built in, or this process is the child of a
        fork, where OpenMP would hang; or the NumPy reference computes.
    """
    _compiled("set_runtime").set_runtime(name)


def get_runtime() -> Runtime:
    """Return what runs the parallel loop now, and why."""
    if backend.name != "compiled":
        return Runtime("numpy", "the NumPy reference computes")
    return Runtime(*_compiled("get_runtime").get_runtime())


def _compiled(operation: str) -> ModuleType:
    if backend.name != "compiled":
        raise FastdlError(
            f"{operation}: only the compiled kernels have threads to set; the NumPy "
            "reference is in use"
        )
    import fastdl.kernels.engine.runtime as runtime

    return runtime
