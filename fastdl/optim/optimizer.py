"""The base of all optimisers: parameter groups, options, saved state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError, ShapeError, suggest
from fastdl.optim.flat import Flat, Run
from fastdl.shapes import is_in, is_positive

ParamsLike: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]]
"""What an optimiser trains: parameters, or groups with options of their own."""


class Optimizer:
    """Base of the optimisers; subclasses define `_check` and `_update`.

    The constructor moves the parameters of each group into one flat array (one for each
    real type), so that a step is one kernel call per group. A parameter that is frozen,
    or whose ``grad`` is None, is left alone, and so is its state. A parameter whose
    ``data`` was replaced by another array of the same shape and type is moved in again
    at the next step; after ``astype`` make a new optimiser.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        ``model.parameters()``, or groups with options of their own:
        ``[{"params": base.parameters(), "lr": 1e-4}, {"params": head.parameters()}]``.
    **defaults
        Options for groups that do not set them.

    Attributes
    ----------
    param_groups : list of dict
        "params" and the options of each group. Options may change between steps.

    Raises
    ------
    ArgumentError
        There are no parameters, one appears twice, an option is unknown, or a value is
        out of range.
    GraphError
        The parameters do not exist yet: call ``model.build(input_shape)`` first.
    """

    def __init__(self, params: ParamsLike, **defaults: object) -> None:
        if not isinstance(params, Iterable):
            raise self._error(
                f"params must be model.parameters() or a list of groups, "
                f"got {type(params).__name__}"
            )
        given: list[Any] = list(params)
        if not given or not isinstance(given[0], dict):
            given = [{"params": given}]
        self.param_groups = [self._group(group, defaults) for group in given]
        everything = self._parameters()
        if len({id(tensor) for tensor in everything}) < len(everything):
            raise self._error("a parameter is given twice")
        self._flats: list[tuple[dict[str, Any], Flat]] = []
        for group, members in self._indexed_groups():
            for dtype in {tensor.dtype: None for _, tensor in members}:
                alike = [(i, tensor) for i, tensor in members if tensor.dtype == dtype]
                self._flats.append((group, Flat(alike)))

    @property
    def lr(self) -> float:
        """The learning rate of all groups; setting it gives each group this one."""
        rates = {group["lr"] for group in self.param_groups}
        if len(rates) > 1:
            raise AttributeError(
                f"{type(self).__name__}: the groups have the learning rates "
                f"{sorted(rates)}; optimizer.param_groups[0]['lr'] is that of the first"
            )
        return rates.pop()

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.param_groups:
            self._check(group | {"lr": value})
        for group in self.param_groups:
            group["lr"] = value

    def _group(self, group: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        """Check a group, and return it with the defaults filled in."""
        for key in group:
            if key not in (*defaults, "params"):
                raise self._error(
                    f"unknown option {key!r}{suggest(key, defaults, 'arguments')}"
                )
        params = group.get("params", ())
        tensors = [params] if isinstance(params, Tensor) else list(params)
        if not tensors:
            raise self._error("no parameters to train")
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise self._error(
                    f"expected parameters, as model.parameters() gives them, "
                    f"got {type(tensor).__name__}"
                )
        full = {**defaults, **group, "params": tensors}
        self._check(full)
        return full

    def _parameters(self) -> list[Tensor]:
        return [tensor for group in self.param_groups for tensor in group["params"]]

    def _indexed_groups(self) -> Iterator[tuple[dict, list[tuple[int, Tensor]]]]:
        """Yield each group with its parameters and their indices across all groups."""
        start = 0
        for group in self.param_groups:
            yield group, list(enumerate(group["params"], start))
            start += len(group["params"])

    def _error(self, message: str) -> ArgumentError:
        return ArgumentError(f"{type(self).__name__}: {message}")

    def _require(self, fits: bool, group: dict[str, Any], key: str, what: str) -> None:
        if not fits:
            raise self._error(f"{key} must be {what}, got {group[key]!r}")

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError if an option is out of range; subclasses check theirs."""
        self._require(is_positive(group["lr"]), group, "lr", "a positive number")
        decay = group["weight_decay"]
        self._require(is_in(decay, math.inf), group, "weight_decay", "a number >= 0")

    def _kept(self, group: dict[str, Any]) -> Iterable[str]:
        """Name the arrays of state that an update with these options needs."""
        raise NotImplementedError

    def _update(self, group: dict[str, Any], run: Run) -> None:
        """Update a stretch of parameters by one kernel call."""
        raise NotImplementedError

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group, flat in self._flats:  # all memory first: a step is whole or not made
            flat.keep(self._kept(group))
        for group, flat in self._flats:
            for run in flat.runs():
                self._update(group, run)

    def zero_grad(self) -> None:
        """Forget all gradients (each ``grad`` becomes None)."""
        for group in self.param_groups:
            for tensor in group["params"]:
                tensor.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Copy what a resumed run needs to continue bit for bit.

        Returns
        -------
        dict
            "state": arrays by ``"<parameter index>.<name>"``, for safetensors. "steps":
            the number of updates of each parameter, and "param_groups": the options,
            with "params" as indices, both for JSON.
        """
        state: dict[str, np.ndarray] = {}
        steps: dict[int, int] = {}
        for _, flat in self._flats:
            steps |= zip(flat.indices, flat.steps, strict=True)
            for name, array in flat.state.items():
                for index, view in zip(flat.indices, flat.views(array), strict=True):
                    state[f"{index}.{name}"] = view.copy()
        return {
            "state": state,
            "steps": [steps[index] for index in sorted(steps)],
            "param_groups": self._described_groups(),
        }

    def _described_groups(self) -> list[dict[str, Any]]:
        return [
            group | {"params": [index for index, _ in members]}
            for group, members in self._indexed_groups()
        ]

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned, for the same parameters in order.

        Raises
        ------
        FastdlError
            The state is from a different optimiser or different groups.
        ShapeError
            An array does not have its parameter's shape.
        ArgumentError
            An option is out of range. After an error nothing is changed.
        """
        groups, steps = saved.get("param_groups", []), saved.get("steps", [])
        own = self._described_groups()
        fits = len(groups) == len(own) and len(steps) == len(self._parameters())
        if not fits or any(
            mine["params"] != theirs.get("params") or not mine.keys() <= theirs.keys()
            for mine, theirs in zip(own, groups, strict=True)
        ):
            raise FastdlError(
                f"{type(self).__name__}: this state is not of such an optimiser with "
                f"the same parameter groups"
            )
        for group in groups:
            self._check(group)
        arrays = [_flat_state(flat, saved["state"]) for _, flat in self._flats]
        for (_, flat), state in zip(self._flats, arrays, strict=True):
            flat.restore(state, [steps[index] for index in flat.indices])
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            mine.update(theirs, params=mine["params"])


def _flat_state(flat: Flat, saved: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Put the saved arrays of the parameters in a `Flat` side by side again."""
    state = {}
    prefix = f"{flat.indices[0]}."
    for name in [key.removeprefix(prefix) for key in saved if key.startswith(prefix)]:
        state[name] = flat.zeros()
        for index, view in zip(flat.indices, flat.views(state[name]), strict=True):
            value = saved.get(f"{index}.{name}")
            if value is None or value.shape != view.shape:
                got = "none" if value is None else value.shape
                raise ShapeError(
                    f"load_state_dict: expected '{index}.{name}' of shape "
                    f"{view.shape}, got {got}"
                )
            view[...] = value
    return state
