"""One hyperparameter: its range, on the right scale.

A scale maps [0, 1] to values, so that uniform positions give the intended distribution.
Draws, grids, the zoom of coarse-to-fine and the axes of pictures all use this one map.
(Deep Learning Specialization, course 2, week 3, "Using an appropriate scale".)
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastdl.errors import ArgumentError, FastdlError
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_MARGIN = 0.25  # when zooming, on each side, as a share of the good range
_LEAST_MARGIN = 0.05  # as a share of the whole scale

Value: TypeAlias = str | float | None  # of a hyperparameter; a bool is a number


class Scale(ABC):
    """Base of all scales.

    Two scales of one class with the same range are equal.
    """

    kind: str

    @abstractmethod
    def value(self, position: float) -> Any:
        """Return the value at a position in [0, 1]; it grows with the position."""

    @abstractmethod
    def position(self, value: Any) -> float:
        """Return the position of a value, in [0, 1]."""

    def grid(self, count: int) -> list[Any]:
        """Return up to `count` different values at equal distances, ends included.

        A single one is the middle.
        """
        positions = np.linspace(0, 1, count) if count > 1 else [0.5]
        return list(dict.fromkeys(self.value(float(p)) for p in positions))

    def most(self) -> float:
        """Return how many different values there are; infinity for real numbers."""
        return math.inf

    @abstractmethod
    def zoomed(self, values: Iterable[Any]) -> Scale:
        """Return the part of the scale around values that were good."""

    @abstractmethod
    def to_json(self) -> dict[str, list[Value]]:
        """Return the form that TOML files have, such as ``{"log": [1e-4, 1.0]}``."""

    # How a study stores it: Optuna has no scale for 1 - beta, so the complement is
    # stored.

    def stored_name(self, name: str) -> str:
        """Return its name in a study."""
        return name

    def stored(self, value: Any) -> Any:
        """Return the value as a study stores it; also the way back."""
        return value

    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """Return the scale as Optuna's distribution."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scale) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        ((_, arguments),) = self.to_json().items()
        return f"{type(self).__name__}({', '.join(map(repr, arguments))})"


class _Range(Scale):
    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = self._checked(low), self._checked(high)
        if not self.low < self.high:
            raise ArgumentError(
                f"{type(self).__name__}: low must be below high, got {low!r} and "
                f"{high!r}"
            )
        if math.isinf(self.high - self.low):
            raise ArgumentError(
                f"{type(self).__name__}: {low!r} to {high!r} is too wide"
            )

    def _checked(self, bound: object) -> Any:
        if isinstance(bound, np.number):
            bound = bound.item()
        if not is_number(bound) or not math.isfinite(bound):
            raise ArgumentError(
                f"{type(self).__name__}: expected finite numbers, got {bound!r}"
            )
        return float(bound)

    def _clipped(self, value: float) -> float:
        return min(max(value, self.low), self.high)

    def zoomed(self, values: Iterable[Any]) -> _Range:
        """Return the part around these values, with a margin along the scale.

        A quarter of its width on each side, at least a twentieth of the scale.
        """
        positions = [self.position(value) for value in values]
        low, high = min(positions), max(positions)
        margin = max(_MARGIN * (high - low), _LEAST_MARGIN)
        return type(self)(
            self.value(max(low - margin, 0.0)), self.value(min(high + margin, 1.0))
        )

    def to_json(self) -> dict[str, list[Value]]:
        return {self.kind: [self.low, self.high]}


class Linear(_Range):
    """Real numbers, all equally likely.

    Parameters
    ----------
    low, high : float
        The range, low < high.

    Raises
    ------
    ArgumentError
        The bounds are not finite numbers, or not in this order.
    """

    kind = "linear"

    def value(self, position: float) -> float:
        """Return the value at a position in [0, 1]."""
        return self._clipped(self.low + position * (self.high - self.low))

    def position(self, value: float) -> float:
        """Return where a value lies, in [0, 1]."""
        return (value - self.low) / (self.high - self.low)

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna's."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high)


class Integer(_Range):
    """Integers, all equally likely, such as numbers of layers or of epochs.

    Parameters
    ----------
    low, high : int
        The range, both included, low < high.

    Raises
    ------
    ArgumentError
        The bounds are not integers, or not in this order.
    """

    kind = "integer"

    def _checked(self, bound: object) -> int:
        try:
            return integer(bound, "Integer: a bound", minimum=-(2**53))
        except FastdlError:
            raise ArgumentError(f"Integer: expected integers, got {bound!r}") from None

    def value(self, position: float) -> int:
        """Return the value at a position in [0, 1]."""
        return min(self.low + math.floor(position * self.most()), self.high)

    def position(self, value: int) -> float:
        """Return the middle of a value's share of [0, 1]."""
        return (value - self.low + 0.5) / self.most()

    def zoomed(self, values: Iterable[Any]) -> Integer:
        """Return the part around these values: a quarter more on each side, or 1."""
        values = list(values)
        margin = max(round(_MARGIN * (max(values) - min(values))), 1)
        return Integer(
            max(min(values) - margin, self.low), min(max(values) + margin, self.high)
        )

    def most(self) -> int:
        """Return how many different values there are."""
        return self.high - self.low + 1

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna's."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high)


class Log(_Range):
    """Positive numbers, each order of magnitude equally likely: 10^r, r uniform.

    ``Log(1e-4, 1)`` gives a quarter of the draws to each decade. For learning rates and
    penalties.

    Parameters
    ----------
    low, high : float
        The range, 0 < low < high.

    Raises
    ------
    ArgumentError
        The bounds are not finite numbers above 0, or not in this order.
    """

    kind = "log"

    def _checked(self, bound: object) -> float:
        number = super()._checked(bound)
        if number <= 0:
            raise ArgumentError(
                f"Log: the logarithm needs numbers above 0, got {number!r}; use Linear"
            )
        return number

    def value(self, position: float) -> float:
        """Return the value at a position in [0, 1]."""
        low, high = math.log10(self.low), math.log10(self.high)
        return self._clipped(10 ** (low + position * (high - low)))

    def position(self, value: float) -> float:
        """Return where a value lies, in [0, 1]."""
        low, high = math.log10(self.low), math.log10(self.high)
        return (math.log10(value) - low) / (high - low)

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna's."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=True)


class OneMinusLog(_Range):
    """Numbers just below 1, such as momentum: 1 - 10^r, r uniform.

    ``OneMinusLog(0.9, 0.999)`` gives half of the draws to [0.9, 0.99]: from 0.9 to
    0.9005 an average over about 10 values hardly changes, but from 0.999 to 0.9995 it
    goes from 1,000 values to 2,000.

    Parameters
    ----------
    low, high : float
        The range, low < high < 1.

    Raises
    ------
    ArgumentError
        The bounds are not finite numbers below 1, or not in this order.
    """

    kind = "one_minus_log"

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low, high)
        self._complement = Log(1 - self.high, 1 - self.low)

    def _checked(self, bound: object) -> float:
        number = super()._checked(bound)
        if number >= 1:
            raise ArgumentError(
                f"OneMinusLog: the logarithm needs numbers below 1, got {number!r}"
            )
        return number

    def value(self, position: float) -> float:
        """Return the value at a position in [0, 1]."""
        return self._clipped(1 - self._complement.value(1 - position))

    def position(self, value: float) -> float:
        """Return where a value lies, in [0, 1]."""
        return 1 - self._complement.position(1 - value)

    def stored_name(self, name: str) -> str:
        """Return the name of its complement in a study."""
        return f"1 - {name}"

    def stored(self, value: float) -> float:
        """Return the complement."""
        return 1 - value

    def distribution(self) -> BaseDistribution:
        """Return the complement's scale as Optuna's distribution."""
        return self._complement.distribution()


class Choice(Scale):
    """One of several values, all equally likely.

    Parameters
    ----------
    *options : str, int, float, bool or None
        At least one, all different; one alone is a fixed value.

    Raises
    ------
    ArgumentError
        There is no option, one is of another type, or two are equal.
    """

    kind = "choice"

    def __init__(self, *options: Value) -> None:
        if not options:
            raise ArgumentError("Choice: expected one option at least, got none")
        options = tuple(o.item() if isinstance(o, np.generic) else o for o in options)
        for option in options:
            if not (option is None or isinstance(option, str | bool | int | float)):
                hint = "; write Choice(*options)" if len(options) == 1 else ""
                raise ArgumentError(
                    f"Choice: options are texts, numbers, True, False or None, got "
                    f"{option!r:.60}{hint}"
                )
            if option != option:
                raise ArgumentError("Choice: NaN is equal to nothing, not even itself")
        if len({*options}) < len(options):
            raise ArgumentError(f"Choice: two options are equal in {options!r:.80}")
        self.options = options

    def value(self, position: float) -> Value:
        """Return the option at a position in [0, 1]."""
        count = len(self.options)
        return self.options[min(math.floor(position * count), count - 1)]

    def position(self, value: Value) -> float:
        """Return the middle of an option's share of [0, 1]."""
        return (self.options.index(value) + 0.5) / len(self.options)

    def grid(self, count: int) -> list[Value]:
        """Return all options."""
        return list(self.options)

    def zoomed(self, values: Iterable[Any]) -> Choice:
        """Return the options that are among these values."""
        values = list(values)
        return Choice(*(option for option in self.options if option in values))

    def most(self) -> int:
        """Return how many options there are."""
        return len(self.options)

    def to_json(self) -> dict[str, list[Value]]:
        """Return the form that TOML files have."""
        return {self.kind: list(self.options)}

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna's."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.options)


SCALES = {scale.kind: scale for scale in (Linear, Integer, Log, OneMinusLog, Choice)}
