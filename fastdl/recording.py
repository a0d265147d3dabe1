"""What each thread records of its operations: for gradients, as a trace, or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any

import numpy as np

from fastdl.typing import Shape

Trace = dict[Any, tuple[Shape, np.dtype]]
"""The shape and type of the result of each `fastdl.autograd.Node`; see `tracing`."""


class _ThreadState(threading.local):
    pauses = 0  # how many `no_grad` this thread is inside of
    on_final: Callable[[Any], None] | None = None  # see `autograd.final_gradients`
    trace: Trace | None = None  # what `tracing` has noted


state = _ThreadState()


def is_recording() -> bool:
    """Whether operations are recorded, in this thread: False inside `no_grad`."""
    return not state.pauses or state.trace is not None


class no_grad(ContextDecorator):  # named like a function
    """Record nothing, in this thread: ``with no_grad():`` or ``@no_grad()``."""

    def __enter__(self) -> None:
        state.pauses += 1

    def __exit__(self, *error: object) -> None:
        state.pauses -= 1


@contextmanager
def tracing() -> Iterator[Trace]:
    """Note what this thread computes in a block, whether it needs gradients or not.

    Yields a dict that grows: the node of each tensor made meanwhile, in order, with the
    shape and type of its array, which is not kept. So every operand has a node, but for
    tensors made before that need no gradient. The node of a constant has no operation
    and no inputs; its array is its only argument.

    Nothing can be sent backward through these nodes: they have saved nothing.
    """
    before, trace = state.trace, Trace()
    state.trace = trace
    try:
        with no_grad():  # so that `record` comes to its end without asking first
            yield trace
    finally:
        state.trace = before
