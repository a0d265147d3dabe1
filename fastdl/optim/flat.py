"""Many parameters side by side in one array, so that one kernel call updates them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress, groupby

import numpy as np

from fastdl import backend
from fastdl.autograd import Tensor, mark_changed, tick_of_change
from fastdl.errors import GraphError, ShapeError

ALIGNMENT = 64  # bytes: each parameter starts at a multiple of the widest vector


class Run:
    """A stretch of neighbours in a `Flat` that are updated together.

    Attributes
    ----------
    param, grad : numpy.ndarray
        The parameters, one after the other, and their gradients.
    """

    def __init__(self, flat: Flat, place: slice, missed: int) -> None:
        self.param = flat.data[place]
        self.grad = flat.grad[place]
        self._flat, self._place, self._missed = flat, place, missed
        self._state: dict[str, np.ndarray] = {}

    @property
    def step(self) -> int:
        """How many updates these parameters have had, including this one."""
        return self._flat.updates - self._missed

    def state(self, name: str) -> np.ndarray:
        """Return the array that the update rule keeps under `name`; zeros at first."""
        if name not in self._state:
            self._state[name] = self._flat.state[name][self._place]
        return self._state[name]


class Flat:
    """Parameters of one type, moved into one array; their gradients into another.

    Each parameter's ``data`` becomes a view of `data`, and backward writes its gradient
    to a view of `grad`. The gaps that align the parameters are zero and stay zero in
    every update.

    Parameters
    ----------
    tensors : iterable of (int, Tensor)
        Parameters with their index in the optimiser, all float32 or all float64.
    """

    def __init__(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        indices, members = zip(*tensors, strict=True)
        self.indices: tuple[int, ...] = indices
        self.tensors: tuple[Tensor, ...] = members
        self.updates = 0
        self.missed = [0] * len(members)  # updates in which each had no gradient
        self.state: dict[str, np.ndarray] = {}  # of the update rule, as flat arrays
        self._whole: list[Run] | None = None  # the runs if all have gradients
        self._dtype = members[0].dtype
        unit = ALIGNMENT // self._dtype.itemsize
        self._bounds = [0]
        for tensor in members:
            self._bounds.append(self._bounds[-1] + -(-tensor.size // unit) * unit)
        self.data = self.zeros()
        self.grad = self.zeros()
        self._data_views = self.views(self.data)
        self._grad_views = self.views(self.grad)
        self._members = tuple(
            zip(members, self._data_views, self._grad_views, strict=True)
        )
        for index in range(len(members)):
            self._adopt(index)
        backend.empty_cache()  # the arrays that the parameters had before

    def stretches(self, size: int) -> list[range]:
        """Return neighbours whose gradients have so many bytes, the last ones first."""
        found, end = [], len(self.tensors)
        for start in reversed(range(len(self.tensors))):
            gradients = self.gradients(range(start, end))
            if start == 0 or gradients.nbytes >= size:
                found.append(range(start, end))
                end = start
        return found

    def gradients(self, members: range) -> np.ndarray:
        """Return the gradients of neighbours as one array, with the gaps between."""
        return self.grad[self._bounds[members.start] : self._bounds[members.stop]]

    def settle(self, index: int) -> None:
        """Have the gradient of a parameter where it belongs; 0 if there is none."""
        if not self._prepare(index):
            self._grad_views[index][...] = 0

    def zeros(self) -> np.ndarray:
        """Return a new flat array of zeros."""
        return backend.zeros((self._bounds[-1],), self._dtype)

    def views(self, flat: np.ndarray) -> list[np.ndarray]:
        """Cut a flat array into one view for each parameter, of its shape."""
        return [
            flat[start : start + tensor.size].reshape(tensor.shape)
            for start, tensor in zip(self._bounds, self.tensors, strict=False)
        ]

    def keep(self, names: Iterable[str]) -> None:
        """Have an array of state under each name, zeros at first, if a step is due."""
        missing = [name for name in names if name not in self.state]
        if missing and any(
            t.grad is not None and t.requires_grad for t in self.tensors
        ):
            self.state |= {name: self.zeros() for name in missing}

    @property
    def steps(self) -> list[int]:
        """How many updates each parameter has had."""
        return [self.updates - missed for missed in self.missed]

    def restore(self, state: dict[str, np.ndarray], steps: list[int]) -> None:
        """Continue with the given state and numbers of updates."""
        self.state = state
        self.updates = max(steps)
        self.missed = [self.updates - step for step in steps]
        self._whole = None

    def __reduce__(self) -> tuple:
        """For deepcopy and pickle, whose copies of views would not share memory."""
        for tensor, place in zip(self.tensors, self._data_views, strict=True):
            _check_fits(tensor.data, place, "parameter")
        members = tuple(zip(self.indices, self.tensors, strict=True))
        return _rebuilt, (members, self.updates, self.missed, self.state)

    def runs(self) -> list[Run]:
        """Count a step and return the stretches to update.

        A stretch is neighbours that have a gradient and the same number of updates:
        all parameters, unless some are frozen or unused.
        """
        if self._mark_all():
            if self._whole is None:
                self._whole = self._cut(self.missed)
            runs = self._whole
        else:
            ready = [self._prepare(index) for index in range(len(self.tensors))]
            mark_changed(compress(self.tensors, ready))
            if not all(ready):
                self._whole = None
                self.missed = [
                    count if is_ready else count + 1
                    for count, is_ready in zip(self.missed, ready, strict=True)
                ]
            runs = self._cut(
                count if is_ready else None
                for count, is_ready in zip(self.missed, ready, strict=True)
            )
        self.updates += 1
        return runs

    def _cut(self, missed: Iterable[int | None]) -> list[Run]:
        """Return a run for neighbours that missed equally many updates; skip None."""
        runs, first = [], 0
        for count, members in groupby(missed):
            last = first + sum(1 for _ in members)
            if count is not None:
                place = slice(self._bounds[first], self._bounds[last])
                runs.append(Run(self, place, count))
            first = last
        return runs

    def _mark_all(self) -> bool:
        """Mark all as changed: the usual, fast case; False when one is not ready.

        Those marked before it are ready, so they will change too.
        """
        tick = tick_of_change()
        for tensor, data, grad in self._members:
            if (
                tensor.grad is not grad
                or tensor.data is not data
                or tensor._node is None
            ):
                return False
            tensor._changed[0] = tick
        return True

    def _prepare(self, index: int) -> bool:
        """Move a parameter in; False if it has no gradient or is frozen."""
        tensor = self.tensors[index]
        if tensor.grad is None or not tensor.requires_grad:
            return False
        if tensor.data is not self._data_views[index]:
            self._adopt(index)
        if tensor.grad is not self._grad_views[index]:
            _check_gradient(tensor.grad, tensor.data)
            _copy(tensor.grad, self._grad_views[index], "gradient")
            tensor.grad = self._grad_views[index]
        return True

    def _adopt(self, index: int) -> None:
        """Move a parameter into its place, at first or after its data was replaced."""
        tensor = self.tensors[index]
        _copy(tensor.data, self._data_views[index], "parameter")
        tensor.data = self._data_views[index]
        tensor._grad_view = self._grad_views[index]


def _rebuilt(
    members: tuple[tuple[int, Tensor], ...],
    updates: int,
    missed: list[int],
    state: dict[str, np.ndarray],
) -> Flat:
    """Put copied parameters side by side again, with the state of the update rule."""
    flat = Flat(members)
    flat.updates, flat.missed = updates, missed
    for name, array in state.items():
        flat.state[name] = flat.zeros()
        flat.state[name][...] = array
    return flat


def _check_fits(array: np.ndarray, place: np.ndarray, what: str) -> None:
    if array.shape != place.shape or array.dtype != place.dtype:
        raise GraphError(
            f"optimizer: a {what} is {array.dtype} of shape {array.shape}, but it was "
            f"{place.dtype} of shape {place.shape} when the optimiser was made; make "
            f"the optimiser after the last change of the model (astype, build, "
            f"replace_head)"
        )


def _check_gradient(grad: np.ndarray, data: np.ndarray) -> None:
    """Raise ShapeError unless a gradient, which anybody may assign, fits its data."""
    if grad.shape != data.shape or grad.dtype != data.dtype:
        raise ShapeError(
            f"optimizer: a gradient is {grad.dtype} of shape {grad.shape}, but its "
            f"parameter is {data.dtype} of shape {data.shape}; what was assigned to "
            f".grad?"
        )


def _copy(array: np.ndarray, place: np.ndarray, what: str) -> None:
    _check_fits(array, place, what)
    place[...] = array
