"""What computes here: memory, algorithms and versions, whichever the backend."""

from __future__ import annotations

import platform

import numpy as np

from fastdl import __version__, backend
from fastdl.threads import get_num_threads, get_runtime


def empty_cache() -> None:
    """Give the memory that the allocator keeps for reuse back to the system.

    The NumPy reference keeps none.
    """
    backend.empty_cache()


def memory_stats() -> dict[str, int]:
    """Return the bytes in use by arrays, those kept for reuse, and their limit.

    The keys are "in_use", "cached" and "cache_limit". All are 0 with the NumPy
    reference, whose allocator does not count.
    """
    return backend.memory_stats()


def set_conv_algorithm(algorithm: str | None) -> None:
    """Choose the algorithm of all 3 x 3 convolutions of stride 1.

    "direct" sums products as the equation says; "winograd" needs a quarter of the
    multiplications and rounds 5 to 14 times as much (2e-6 relative in float32);
    "auto", the default and what None means, takes the one that a model of their cost
    finds faster. Other convolutions are always direct. So are all of the NumPy
    reference; there the choice waits for the compiled kernels.

    Raises
    ------
    ArgumentError
        For another name.
    """
    backend.set_conv_algorithm(algorithm)


def get_conv_algorithm() -> str:
    """Return the name of the algorithm that `set_conv_algorithm` chose."""
    return backend.get_conv_algorithm()


def info() -> dict[str, str]:
    """Return versions, backend, instruction set, caches, threads, compiler, as text."""
    lines = {"fastdl": __version__, "backend": backend.name}
    if backend.name == "compiled":
        import fastdl.kernels.engine.caches as caches
        import fastdl.kernels.engine.runtime as runtime

        lines |= {
            "instruction set": runtime.get_isa(),
            "available": ", ".join(runtime.available_isas()),
            "caches": caches.describe(),
            "threads": str(get_num_threads()),
            "runtime": str(get_runtime()),
            "compiler": runtime.compiler(),
        }
    return lines | {
        "NumPy": np.__version__,
        "Python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
    }
