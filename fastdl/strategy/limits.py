"""Limits that a model must keep, however good it is otherwise: satisficing metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from fastdl.errors import ArgumentError
from fastdl.metrics import lower_is_better
from fastdl.shapes.numbers import is_number

LimitLike: TypeAlias = float | Sequence[float | None]
"""A number, or a pair (low, high) with None for no limit."""


class Limit(NamedTuple):
    """Which values of a measure are good enough.

    Attributes
    ----------
    name : str
        Of the measure.
    low, high : float
        Both values are good enough; infinite if there is no limit.
    """

    name: str
    low: float
    high: float

    @property
    def rule(self) -> str:
        """Such as "<= 100"."""
        if self.low == -math.inf:
            return f"<= {shown(self.high)}"
        if self.high == math.inf:
            return f">= {shown(self.low)}"
        return f"{shown(self.low)} to {shown(self.high)}"

    def __str__(self) -> str:
        return f"{self.name} {self.rule}"

    def missed_by(self, value: float) -> float:
        """Return by how much a value is outside, 0 if it is not."""
        return max(self.low - value, value - self.high, 0.0)

    def missed_share(self, value: float) -> float:
        """Return `missed_by` relative to the limit that is missed."""
        bound = abs(self.low if value < self.low else self.high)
        return self.missed_by(value) / (bound or 1.0)

    def slack(self, value: float) -> float:
        """Return how far a value is on the good side; 0 between two limits."""
        if self.low == -math.inf:
            return self.high - value
        return value - self.low if self.high == math.inf else 0.0


def _is_side(value: object) -> bool:
    return value is None or (is_number(value) and not math.isnan(value))


def as_limits(given: Mapping[str, LimitLike] | None) -> list[Limit]:
    """Return limits as `fastdl.strategy.choose` takes them.

    Raises
    ------
    ArgumentError
        One is neither a number nor a pair, is empty, or its name does not say which
        side.
    """
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"choose: limits are a dict such as {{'latency_ms': 100}}, got "
            f"{given!r:.60}"
        )
    return [_limit(str(name), value) for name, value in given.items()]


def _limit(name: str, given: LimitLike) -> Limit:
    if is_number(given) and not math.isnan(given):
        lower = lower_is_better(name)
        if lower is None:
            raise ArgumentError(
                f"choose: {name!r} may be at most or at least {given}? Its name does "
                f"not tell; give (None, {given}) or ({given}, None)"
            )
        given = (None, given) if lower else (given, None)
    sides = list(given) if isinstance(given, Iterable) else []
    if len(sides) != 2 or not all(map(_is_side, sides)):
        raise ArgumentError(
            f"choose: the limit of {name!r} must be a number, or a pair (low, high) "
            f"with None for no limit, got {given!r:.60}"
        )
    low, high = sides
    limit = Limit(
        name,
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
    )
    if (low is None and high is None) or limit.low > limit.high:
        raise ArgumentError(
            f"choose: the limit of {name!r} must have a low end below a high end, or "
            f"one of them, got ({low}, {high})"
        )
    return limit


def shown(value: float | None) -> str:
    """Return a number as a table shows it."""
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.5g}"
