"""The library's own source of randomness. NumPy's global state is never touched.

One root `numpy.random.SeedSequence` spawns a child for every use (weights, dropout,
shuffling), so the streams are independent and one seed fixes them all.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from fastdl.errors import ArgumentError

_root = np.random.SeedSequence()  # unseeded: entropy from the operating system
_lock = threading.Lock()  # spawning counts children, and data loaders are threads
_of_block: ContextVar[np.random.SeedSequence | None] = ContextVar("seeds", default=None)


def seed(n: int) -> None:
    """Restart the library's randomness from `n`; also ``fastdl.manual_seed``.

    Parameters
    ----------
    n
        Any integer >= 0.

    Raises
    ------
    ArgumentError
        When `n` is negative or not an integer.
    """
    global _root
    with _lock:
        _root = _sequence(n)


manual_seed = seed  # the name in fastdl, where "seed" alone would be vague


@contextmanager
def seeded(n: int) -> Iterator[None]:
    """Draw from a seed within a block; then the randomness goes on as if untouched.

    ::

        with random.seeded(7):
            model = models.create("mlp")
            model.build((4,))

    It concerns only the thread that it is called in.

    Parameters
    ----------
    n
        Any integer >= 0.

    Raises
    ------
    ArgumentError
        When `n` is negative or not an integer.
    """
    before = _of_block.set(_sequence(n))
    try:
        yield
    finally:
        _of_block.reset(before)


def state_dict() -> dict[str, Any]:
    """Return from where on numbers are drawn, as JSON can hold it."""
    root = _of_block.get() or _root
    return {
        "entropy": root.entropy,
        "spawn_key": list(root.spawn_key),
        "children": root.n_children_spawned,
    }


def load_state_dict(state: Mapping[str, Any]) -> None:
    """Draw from there on again, to the end of a block of `seeded` if there is one."""
    global _root
    root = np.random.SeedSequence(
        state["entropy"],
        spawn_key=state["spawn_key"],
        n_children_spawned=state["children"],
    )
    with _lock:
        if _of_block.get() is None:
            _root = root
        else:
            _of_block.set(root)


def _sequence(n: int) -> np.random.SeedSequence:
    try:
        n = operator.index(n)
    except TypeError:
        raise ArgumentError(f"seed: expected an integer >= 0, got {n!r}") from None
    if n < 0:
        raise ArgumentError(f"seed: expected an integer >= 0, got {n}")
    return np.random.SeedSequence(n)


def _next_child() -> np.random.SeedSequence:
    with _lock:
        return (_of_block.get() or _root).spawn(1)[0]


def generator() -> np.random.Generator:
    """Return a NumPy generator on a stream of its own."""
    return np.random.default_rng(_next_child())


def new_seed() -> int:
    """Return a fresh seed in [0, 2**64), for example for a dropout layer."""
    return int(_next_child().generate_state(1, np.uint64)[0])
