"""Functions that are called when something happens, until their handle is removed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.shapes import array, check_shape
from fastdl.typing import TensorLike

GradientHook = Callable[[np.ndarray], "TensorLike | None"]
"""See `fastdl.Tensor.register_hook`."""


class HookHandle:
    """What a method that registers a hook returns; ``remove()`` ends the calls.

    `remove` is a partial of a method, so that the handle of a copied model is its own.
    """

    def __init__(self, remove: Callable[[], object]) -> None:
        self._remove = remove

    def remove(self) -> None:
        """Stop calling the hook; nothing happens if it was removed before."""
        self._remove()


class GradientHooks:
    """Functions that see a gradient on its way back, and may replace it."""

    def __init__(self) -> None:
        self._hooks: dict[object, GradientHook] = {}

    def add(self, hook: GradientHook) -> HookHandle:
        """Call a hook after those that are there."""
        if not callable(hook):
            raise ArgumentError(
                f"register_hook: expected a function of the gradient, got {hook!r:.60}"
            )
        key = object()
        self._hooks[key] = hook
        return HookHandle(partial(self._remove, key))

    def _remove(self, key: object) -> None:
        self._hooks.pop(key, None)

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient as the hooks leave it."""
        for hook in tuple(self._hooks.values()):  # one may remove itself
            seen = gradient.view()
            seen.flags.writeable = False  # others may hold the same memory
            given = hook(seen)
            if given is not None:
                what = "what a hook returns"
                given = array(given, f"register_hook: {what}")
                check_shape("register_hook", what, given.shape, gradient.shape)
                gradient = given.astype(gradient.dtype, copy=False)
        return gradient
