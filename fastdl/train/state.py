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
