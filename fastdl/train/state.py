"""Checked reading of saved states: a checkpoint may be damaged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar, overload

import numpy as np

from fastdl.errors import DataError

Kind = TypeVar("Kind")


@overload
def get(state: Mapping[str, Any], name: str, kind: type[Kind], what: str) -> Kind: ...
@overload
def get(
    state: Mapping[str, Any], name: str, kind: tuple[type, ...], what: str
) -> object: ...
def get(
    state: Mapping[str, Any], name: str, kind: type | tuple[type, ...], what: str
) -> object:
    """Return an entry of a state.

    Raises
    ------
    DataError
        It is missing, or of another kind; the message says what was expected.
    """
    if name not in state:
        raise DataError(f"{name!r} is missing")
    value = state[name]
    # For Python, True is an integer.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise DataError(f"{name!r} must be {what}, got {value!r:.60}")
    return value


def count(state: Mapping[str, Any], name: str, minimum: int = 0) -> int:
    """Return an integer from `minimum`; DataError if it is anything else."""
    what = f"an integer from {minimum}"
    value = get(state, name, int, what)
    if not minimum <= value < 2**63:
        raise DataError(f"{name!r} must be {what}, got {value!r:.60}")
    return value


def number(state: Mapping[str, Any], name: str) -> float:
    """Return a number, NaN and infinity included; DataError if it is not one."""
    return checked_number(get(state, name, object, ""), name)


def finite_numbers(state: Mapping[str, Any], name: str, length: int) -> list[float]:
    """Return this many finite numbers; DataError if they are not."""
    what = f"a list of {length} finite numbers"
    values = get(state, name, list, what)
    if len(values) != length:
        raise DataError(f"{name!r} must be {what}, got {len(values)}")
    for value in values:
        if not math.isfinite(checked_number(value, name)):
            raise DataError(f"{name!r} must be {what}, got {value!r} in it")
    return values


def numbers(state: Mapping[str, Any], name: str) -> list[float]:
    """Return an array of real numbers as a list, empty if there is none."""
    array = state.get(name, np.zeros(0))
    if not (isinstance(array, np.ndarray) and array.dtype.kind == "f"):
        raise DataError(f"{name!r} must be an array of numbers, got {array!r:.60}")
    if array.ndim != 1:
        raise DataError(f"{name!r} must be a list, got the shape {array.shape}")
    return array.tolist()


def checked_number(value: object, name: str) -> float:
    """Return a number unchanged; DataError if it is none, or too large for a float."""
    # For Python, True is an integer.
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise DataError(f"{name!r} must be a number, got {value!r:.60}")
    try:
        float(value)
    except OverflowError:
        raise DataError(f"{name!r} is too large a number") from None
    return value


def check_like(arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    """Raise DataError unless the names, kinds and shapes of the arrays agree."""
    if arrays.keys() != own.keys():
        raise DataError(f"there are arrays {list(arrays)!r:.80}, not {list(own)!r:.80}")
    for name, array in arrays.items():
        kinds = array.dtype.kind, own[name].dtype.kind
        if array.shape != own[name].shape or kinds[0] != kinds[1]:
            raise DataError(
                f"{name!r} must be {own[name].dtype} of shape {own[name].shape}, got "
                f"{array.dtype} of shape {array.shape}"
            )


def check_history(state: Mapping[str, Any]) -> None:
    """Raise DataError unless the rows of "history" are numbers by name."""
    for row in get(state, "history", list, "a list of rows"):
        if not isinstance(row, dict):
            raise DataError(f"'history' must have rows of numbers, got {row!r:.60}")
        for name, value in row.items():
            checked_number(value, name)


def check_optimizer(state: Mapping[str, Any]) -> None:
    """Raise DataError unless "optimizer" has groups of options, and counts of steps."""
    optimizer = get(state, "optimizer", dict, "the state of an optimiser")
    groups = get(optimizer, "param_groups", list, "a list of groups")
    if not groups or not all(isinstance(group, dict) for group in groups):
        raise DataError(f"'param_groups' must hold groups, got {groups!r:.60}")
    for step in get(optimizer, "steps", list, "a list of counts"):
        count({"steps": step}, "steps")


def check_groups(
    own: list[dict[str, Any]], state: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Raise DataError unless an optimiser of such groups can load a checkpoint.

    It checks the ranges itself.
    """
    _check_kinds(state["optimizer"]["param_groups"], own, "param_groups")
    for name, array in within("optimizer.", arrays).items():
        if array.dtype.kind != "f":
            raise DataError(f"{name!r} must be of a real type, got {array.dtype}")


def _check_kinds(saved: Any, own: object, place: str) -> None:
    """Raise DataError unless two values have the same structure."""
    if isinstance(own, dict):
        for name, value in own.items():
            _check_kinds(get(saved, name, object, ""), value, f"{place}.{name}")
    elif isinstance(own, (list, tuple)):
        if not isinstance(saved, list) or len(saved) != len(own):
            raise DataError(f"{place!r} must be a list of {len(own)}")
        for index, value in enumerate(own):
            _check_kinds(saved[index], value, f"{place}.{index}")
    elif isinstance(own, (bool, np.bool_)):
        get({place: saved}, place, bool, "true or false")
    elif isinstance(own, (int, float, np.number)):
        checked_number(saved, place)
    elif isinstance(own, str):
        get({place: saved}, place, str, "a text")


def prefixed(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays with longer names, to stand beside others."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def within(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
