"""The first peer: PyTorch on the same cores, where it is installed.

It computes in both of its layouts and the faster one counts. Arrays of fastdl, images
(n, h, w, c) and filters (kh, kw, c, oc), become tensors of the same values. It is
imported where it is used, so that what needs no peer does not load it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.harness import Function

VERSION = "2.13.0"
INSTALL = (
    f"The peer is PyTorch {VERSION}, its build for CPUs: `pip install "
    f"torch=={VERSION}` with the index that pytorch.org names for the platform CPU. "
    "Training steps are also compared with JAX (`pip install jax`)."
)


def available() -> bool:
    """Whether the peer is installed."""
    return find_spec("torch") is not None


def describe() -> str:
    """Return the versions of the peers, or that they are missing."""
    jax = version("jax") if find_spec("jax") else "not installed: skipped"
    if not available():
        return f"PyTorch not installed: skipped; JAX {jax}"
    import torch

    return (
        f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; JAX {jax}"
    )


def set_threads(count: int) -> None:
    """Use as many threads as fastdl."""
    if available():
        import torch

        torch.set_num_threads(count)


def tensor(array: np.ndarray) -> Any:
    """Return a tensor that shares the memory of an array."""
    import torch

    return torch.from_numpy(array)


def images(array: np.ndarray, layout: Any) -> Any:
    """Return (n, h, w, c) as a tensor (n, c, h, w) of this layout in memory."""
    return tensor(array).permute(0, 3, 1, 2).contiguous(memory_format=layout)


def filters(array: np.ndarray, layout: Any) -> Any:
    """Return (kh, kw, c, oc) as a tensor (oc, c, kh, kw) of this layout in memory."""
    return tensor(array).permute(3, 2, 0, 1).contiguous(memory_format=layout)


def in_both_layouts(make: Callable[[Any], Function]) -> list[Function]:
    """Return ``make(layout)`` for channels first and channels last."""
    import torch

    return [make(torch.contiguous_format), make(torch.channels_last)]
