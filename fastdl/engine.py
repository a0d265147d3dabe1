"""The memory and the algorithms of the kernels, whichever backend computes."""

from __future__ import annotations

from fastdl import backend


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
