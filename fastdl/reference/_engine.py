"""What the compiled kernels offer besides operations: memory, and a choice.

Here NumPy owns the memory, and convolutions have one algorithm. These functions exist
so that a program that calls them still runs.
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes

empty = np.empty
zeros = np.zeros

_algorithm = "auto"


def empty_cache() -> None:
    """Do nothing: no memory is kept for reuse."""


def memory_stats() -> dict[str, int]:
    """Return zeros: NumPy's allocator does not count."""
    return {"in_use": 0, "cached": 0, "cache_limit": 0}


def set_conv_algorithm(algorithm: str | None) -> None:
    """Remember the name for `get_conv_algorithm`; the computation is always direct.

    Raises
    ------
    ArgumentError
        For an unknown name.
    """
    global _algorithm
    index = shapes.conv_algorithm_index(algorithm, "set_conv_algorithm")
    _algorithm = shapes.CONV_ALGORITHMS[index]


def get_conv_algorithm() -> str:
    """Return the name that was set last."""
    return _algorithm
