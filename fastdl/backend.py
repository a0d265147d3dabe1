"""Chooses who computes: the compiled kernels or the NumPy reference.

The kernel functions (the names in ``fastdl.reference.__all__``) are attributes of this
module. Write ``from fastdl import backend`` and ``backend.matmul(...)``: a name
imported from here would not follow `use`.

The environment variable ``FASTDL_BACKEND`` (``compiled`` or ``reference``) chooses at
import. When it is unset, the compiled kernels are used if they are built.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from fastdl import reference
from fastdl.errors import ArgumentError, suggest
from fastdl.reference import _engine

if TYPE_CHECKING:  # the signatures are equal in both backends
    from fastdl.reference import *  # noqa: F403

name: str
"""The backend in use: "compiled" or "reference"."""

empty: Callable[..., np.ndarray]
"""empty(shape, dtype): an array with unset values, from the backend's allocator."""

zeros: Callable[..., np.ndarray]
"""zeros(shape, dtype): an array of zeros, from the backend's allocator."""

empty_cache: Callable[[], None]
"""empty_cache(): return the memory kept for reuse to the operating system."""

memory_stats: Callable[[], dict[str, int]]
"""memory_stats(): the bytes used by arrays and the bytes kept for reuse."""

set_conv_algorithm: Callable[[str | None], None]
"""set_conv_algorithm(algorithm): choose how 3 x 3 convolutions are computed."""

get_conv_algorithm: Callable[[], str]
"""get_conv_algorithm(): the algorithm in use."""

_ENGINE = (
    "empty",
    "zeros",
    "empty_cache",
    "memory_stats",
    "set_conv_algorithm",
    "get_conv_algorithm",
)


def use(backend: str) -> None:
    """Bind the kernel functions of this module to a backend.

    Parameters
    ----------
    backend
        "compiled" or "reference".

    Raises
    ------
    ArgumentError
        For another name.
    ImportError
        For "compiled" when the kernels are not built; the message says how.
    """
    functions: ModuleType
    beside: ModuleType
    if backend == "compiled":
        functions = beside = _compiled()
    elif backend == "reference":
        functions, beside = reference, _engine
    else:
        hint = suggest(backend, ("compiled", "reference"))
        raise ArgumentError(f"unknown backend {backend!r}{hint}")
    bound = {name: getattr(functions, name) for name in vars(reference)["__all__"]}
    bound |= {name: getattr(beside, name) for name in _ENGINE}
    chosen = globals().get("get_conv_algorithm")
    if chosen is not None:  # the choice survives a change of backend
        bound["set_conv_algorithm"](chosen())
    globals().update(bound, name=backend)


def _compiled() -> ModuleType:
    try:
        from fastdl import kernels
    except ImportError as error:
        raise ImportError(
            f"the compiled kernels are not available ({error}); build them with "
            f"`pip install .` in a source tree, with a C compiler"
        ) from error
    return kernels


def _left_out() -> bool:
    """Whether fastdl was installed without kernels, which the user must have asked for.

    Their folder then has neither sources, as in a tree yet to be built, nor modules.
    """
    files = Path(__file__).with_name("kernels").iterdir()
    return all(file.suffix not in (".pyx", ".so", ".pyd") for file in files)


def _use_default() -> None:
    chosen = os.environ.get("FASTDL_BACKEND")
    if chosen or _left_out():
        use(chosen or "reference")
        return
    try:
        use("compiled")
    except ImportError as error:
        warnings.warn(
            f"{error}, or set FASTDL_BACKEND=reference to say that you mean it: fastdl "
            "now uses the NumPy reference, which is much slower",
            RuntimeWarning,
            stacklevel=2,
        )
        use("reference")


_use_default()
