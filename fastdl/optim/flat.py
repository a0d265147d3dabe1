"""Many parameters side by side in one array, so that one kernel call updates them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from fastdl import backend
from fastdl.autograd import Tensor
from fastdl.errors import GraphError

ALIGNMENT = 64  # bytes: each parameter starts where the widest vector may be loaded


class Run(NamedTuple):
    """A stretch of neighbours in a `Flat` that are updated together."""

    flat: Flat
    place: slice
    step: int
    """How many updates these parameters will have had, this one included."""

    @property
    def param(self) -> np.ndarray:
        """The parameters, one behind the other."""
        return self.flat.data[self.place]

    @property
    def grad(self) -> np.ndarray:
        """Their gradients."""
        return self.flat.grad[self.place]

    def state(self, name: str) -> np.ndarray:
        """Return the array that the rule keeps under `name`; zeros at first."""
        return self.flat.state_array(name)[self.place]


class Flat:
    """Parameters of one type, moved into one array; their gradients into another.

    Each parameter's ``data`` becomes a view of `data`, and backward writes its gradient
    into a view of `grad`. The gaps that align the parameters hold zeros and stay zero
    under every update.

    Parameters
    ----------
    tensors : iterable of (int, Tensor)
        Parameters with their index in the optimiser, all float32 or all float64.
    """

    def __init__(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        indices, members = zip(*tensors, strict=True)
        self.indices: tuple[int, ...] = indices
        self.tensors: tuple[Tensor, ...] = members
        self.steps = [0] * len(members)  # updates that each has had
        self.state: dict[str, np.ndarray] = {}  # what the rule keeps, as flat arrays
        self._dtype = members[0].dtype
        unit = ALIGNMENT // self._dtype.itemsize
        self._bounds = [0]
        for tensor in members:
            self._bounds.append(self._bounds[-1] + -(-tensor.size // unit) * unit)
        self.data = self.zeros()
        self.grad = self.zeros()
        self._data_views = self.views(self.data)
        self._grad_views = self.views(self.grad)
        for index in range(len(members)):
            self._adopt(index)

    def zeros(self) -> np.ndarray:
        """Return a new flat array of zeros."""
        return backend.zeros((self._bounds[-1],), self._dtype)

    def views(self, flat: np.ndarray) -> list[np.ndarray]:
        """Cut a flat array into one view for each parameter, of its shape."""
        return [
            flat[start : start + tensor.size].reshape(tensor.shape)
            for start, tensor in zip(self._bounds, self.tensors, strict=False)
        ]

    def state_array(self, name: str) -> np.ndarray:
        """Return the flat array kept under `name`; made of zeros when first asked."""
        if name not in self.state:
            self.state[name] = self.zeros()
        return self.state[name]

    def runs(self) -> Iterator[Run]:
        """Count a step and yield the stretches to update.

        A stretch holds neighbours that have a gradient and the same number of updates:
        all parameters, unless some are frozen or unused.
        """
        steps = [self._next_step(index) for index in range(len(self.tensors))]
        first = 0
        for step, members in groupby(steps):
            last = first + sum(1 for _ in members)
            if step is not None:
                yield Run(self, slice(self._bounds[first], self._bounds[last]), step)
            first = last

    def _next_step(self, index: int) -> int | None:
        """Count a parameter's step; None when it has no gradient or is frozen."""
        tensor = self.tensors[index]
        if tensor.grad is None or not tensor.requires_grad:
            return None
        if tensor.data is not self._data_views[index]:
            self._adopt(index)
        if tensor.grad is not self._grad_views[index]:
            _copy(tensor.grad, self._grad_views[index], "gradient")
            tensor.grad = self._grad_views[index]
        tensor.mark_changed()
        self.steps[index] += 1
        return self.steps[index]

    def _adopt(self, index: int) -> None:
        """Move a parameter into its place; also after its data were exchanged."""
        tensor = self.tensors[index]
        _copy(tensor.data, self._data_views[index], "parameter")
        tensor.data = self._data_views[index]
        tensor._grad_view = self._grad_views[index]


def _copy(array: np.ndarray, place: np.ndarray, what: str) -> None:
    if array.shape != place.shape or array.dtype != place.dtype:
        raise GraphError(
            f"optimizer: a {what} is {array.dtype} of shape {array.shape}, but it was "
            f"{place.dtype} of shape {place.shape} when the optimiser was made; make "
            f"the optimiser after the last change of the model (astype, build)"
        )
    place[...] = array
