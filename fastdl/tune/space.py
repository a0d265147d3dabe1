"""What is searched: hyperparameters, each with its range on the right scale.

Every scale is a map from [0, 1] to values, along which all values are equally likely.
Draws, grids, the zoom of coarse-to-fine and the axes of pictures all use this one map.
(Deep Learning Specialization, course 2, week 3, "Using an appropriate scale".)
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.errors import ArgumentError, DataError, FastdlError, suggest
from fastdl.files import SMALL, read_file
from fastdl.shapes import integer

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_MARGIN = 0.25  # of the width of what is good, on each side of it when zooming
_LEAST_MARGIN = 0.05  # of the whole scale


class Scale:
    """Base of all scales.

    Two of a class with the same range are equal.
    """

    kind: str

    def value(self, position: float) -> Any:
        """Return the value at a position in [0, 1]; grows with it."""
        raise NotImplementedError

    def position(self, value: Any) -> float:
        """Return where a value lies, in [0, 1]."""
        raise NotImplementedError

    def grid(self, count: int) -> list[Any]:
        """Return up to `count` different values at equal distances, ends included.

        A single one is that of the middle.
        """
        positions = np.linspace(0, 1, count) if count > 1 else [0.5]
        return list(dict.fromkeys(self.value(float(p)) for p in positions))

    def most(self) -> float:
        """Return how many different values there are; infinity for real numbers."""
        return math.inf

    def zoomed(self, values: Iterable[Any]) -> Scale:
        """Return a part of the scale, around values that were good."""
        raise NotImplementedError

    def to_json(self) -> dict[str, list[Any]]:
        """Return the form that TOML files have, such as ``{"log": [1e-4, 1.0]}``."""
        raise NotImplementedError

    # How a study stores it: Optuna knows no 1 - beta, so the complement is stored.

    def stored_name(self, name: str) -> str:
        """Return the name under which a study has it."""
        return name

    def stored(self, value: Any) -> Any:
        """Return the value that a study has, and of a stored one the value itself."""
        return value

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna's."""
        raise NotImplementedError

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

    def _checked(self, bound: Any) -> Any:
        if not _is_number(bound):
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

    def to_json(self) -> dict[str, list[Any]]:
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
        The bounds are no finite numbers, or not in this order.
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
        The bounds are no integers, or not in this order.
    """

    kind = "integer"

    def _checked(self, bound: Any) -> int:
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

    ``Log(1e-4, 1)`` gives a quarter of the draws to each decade. The scale of learning
    rates and penalties.

    Parameters
    ----------
    low, high : float
        The range, 0 < low < high.

    Raises
    ------
    ArgumentError
        The bounds are no finite numbers above 0, or not in this order.
    """

    kind = "log"

    def _checked(self, bound: Any) -> float:
        bound = super()._checked(bound)
        if bound <= 0:
            raise ArgumentError(
                f"Log: the logarithm needs numbers above 0, got {bound!r}; use Linear"
            )
        return bound

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
    0.9005 an average over about 10 values changes hardly, from 0.999 to 0.9995 it goes
    from 1,000 to 2,000.

    Parameters
    ----------
    low, high : float
        The range, low < high < 1.

    Raises
    ------
    ArgumentError
        The bounds are no finite numbers below 1, or not in this order.
    """

    kind = "one_minus_log"

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low, high)
        self._complement = Log(1 - self.high, 1 - self.low)

    def _checked(self, bound: Any) -> float:
        bound = super()._checked(bound)
        if bound >= 1:
            raise ArgumentError(
                f"OneMinusLog: the logarithm needs numbers below 1, got {bound!r}"
            )
        return bound

    def value(self, position: float) -> float:
        """Return the value at a position in [0, 1]."""
        return self._clipped(1 - self._complement.value(1 - position))

    def position(self, value: float) -> float:
        """Return where a value lies, in [0, 1]."""
        return 1 - self._complement.position(1 - value)

    def stored_name(self, name: str) -> str:
        """Return the name under which a study has its complement."""
        return f"1 - {name}"

    def stored(self, value: float) -> float:
        """Return the complement."""
        return 1 - value

    def distribution(self) -> BaseDistribution:
        """Return that of the complement as Optuna's."""
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

    def __init__(self, *options: str | float | bool | None) -> None:
        if not options:
            raise ArgumentError("Choice: expected one option at least, got none")
        for option in options:
            if not (option is None or isinstance(option, str | bool | int | float)):
                hint = "; write Choice(*options)" if len(options) == 1 else ""
                raise ArgumentError(
                    f"Choice: options are texts, numbers, True, False or None, got "
                    f"{option!r:.60}{hint}"
                )
        if len({*options}) < len(options):
            raise ArgumentError(f"Choice: two options are equal in {options!r:.80}")
        self.options = options

    def value(self, position: float) -> Any:
        """Return the option at a position in [0, 1]."""
        count = len(self.options)
        return self.options[min(math.floor(position * count), count - 1)]

    def position(self, value: Any) -> float:
        """Return the middle of an option's share of [0, 1]."""
        return (self.options.index(value) + 0.5) / len(self.options)

    def grid(self, count: int) -> list[Any]:
        """Return all options."""
        return list(self.options)

    def zoomed(self, values: Iterable[Any]) -> Choice:
        """Return the options that are among these values."""
        values = list(values)
        return Choice(*(option for option in self.options if option in values))

    def most(self) -> int:
        """Return how many options there are."""
        return len(self.options)

    def to_json(self) -> dict[str, list[Any]]:
        """Return the form that TOML files have."""
        return {self.kind: list(self.options)}

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna's."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.options)


SCALES = {scale.kind: scale for scale in (Linear, Integer, Log, OneMinusLog, Choice)}


class Space(Mapping[str, Scale]):
    """Hyperparameters by name, each with its scale.

    Parameters
    ----------
    scales : mapping of str to Scale
        At least one; what is no scale, such as ``"adam"``, is a fixed value.

    Raises
    ------
    ArgumentError
        There is none, or a fixed value is no text, number or bool.
    """

    def __init__(self, scales: Mapping[str, Any]) -> None:
        if not isinstance(scales, Mapping) or not scales:
            raise ArgumentError(
                f"Space: expected hyperparameters by name, such as "
                f"{{'lr': Log(1e-4, 1)}}, got {scales!r:.60}"
            )
        self._scales = {
            name: scale if isinstance(scale, Scale) else Choice(scale)
            for name, scale in scales.items()
        }

    def __getitem__(self, name: str) -> Scale:
        return self._scales[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scales)

    def __len__(self) -> int:
        return len(self._scales)

    def __repr__(self) -> str:
        return f"Space({self._scales})"

    @property
    def searched(self) -> list[str]:
        """The names of all that have more than one value."""
        return [name for name, scale in self.items() if scale.most() > 1]

    def check_names(self, known: Iterable[str]) -> None:
        """Raise ArgumentError when there is a name that is not `known`."""
        known = list(known)
        for name in self:
            if name not in known:
                raise ArgumentError(
                    f"unknown hyperparameter {name!r}{suggest(name, known)}"
                )

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return random values, each uniform along its scale.

        One number of `rng` is used for each name, in their order.
        """
        return {n: scale.value(float(rng.random())) for n, scale in self.items()}

    def zoomed(self, good: Sequence[Mapping[str, Any]]) -> Space:
        """Return the part around values that were good, see `Scale.zoomed`."""
        return Space({n: scale.zoomed(p[n] for p in good) for n, scale in self.items()})

    def grid(self, most: int) -> list[dict[str, Any]]:
        """Return the largest full grid of at most so many points.

        A choice contributes all its options. The others get as many values each, at
        equal distances along the scale; the first ones one more, as far as `most` goes.

        Raises
        ------
        ArgumentError
            The choices alone make more points.
        """
        fixed = [n for n, scale in self.items() if isinstance(scale, Choice)]
        counts = dict.fromkeys(self, 1) | {n: len(self[n].grid(0)) for n in fixed}
        if math.prod(counts.values()) > most:
            raise ArgumentError(
                f"a grid of these choices has {math.prod(counts.values())} points, "
                f"more than {most} trials; give more trials, or search at random"
            )
        while growing := [n for n in self if counts[n] < self[n].most()]:
            name = min(growing, key=counts.__getitem__)
            larger = counts | {name: counts[name] + 1}
            if math.prod(larger.values()) > most:
                break
            counts = larger
        points: list[dict[str, Any]] = [{}]
        for name, scale in self.items():
            values = scale.grid(counts[name])
            points = [point | {name: value} for point in points for value in values]
        return points

    def to_json(self) -> dict[str, dict[str, list[Any]]]:
        """Return what `from_json` takes."""
        return {name: scale.to_json() for name, scale in self.items()}

    @classmethod
    def from_json(cls, scales: Mapping[str, Any]) -> Space:
        """Make a space from tables of one entry, as TOML files have them.

        Such as ``{"lr": {"log": [1e-4, 1.0]}, "optimizer": "adam"}``; what is no table
        is a fixed value.

        Raises
        ------
        ArgumentError
            A scale is unknown, or its range is wrong; the message names the
            hyperparameter.
        """
        return cls({name: _scale(name, given) for name, given in scales.items()})


def read_space(path: str | os.PathLike[str]) -> Space:
    """Read a space from a TOML file.

    ::

        lr = {log = [1e-4, 1.0]}
        momentum = {one_minus_log = [0.9, 0.999]}
        epochs = {integer = [5, 20]}
        label_smoothing = {linear = [0.0, 0.2]}
        batch_size = {choice = [32, 64, 128]}
        optimizer = "momentum"  # fixed

    Raises
    ------
    DataError
        There is no such file, or it is no TOML.
    ArgumentError
        A scale is unknown, a range is wrong, or there is nothing in the file.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise FastdlError(
                'TOML files need tomli before Python 3.11: pip install "fastdl-cpu'
                '[tune]"'
            ) from None
    try:
        tables = tomllib.loads(read_file(path, SMALL).decode())
    except (ValueError, RecursionError) as error:
        if isinstance(error, FastdlError):
            raise
        raise DataError(f"{path} is no TOML: {error}") from None
    try:
        return Space.from_json(tables)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from None


def _scale(name: str, given: Any) -> Any:
    example = f"expected a range such as {name} = {{log = [1e-4, 1.0]}}"
    if not isinstance(given, Mapping):
        if isinstance(given, list):
            raise ArgumentError(f"{name}: {example}, got {given!r:.60}")
        return given
    if len(given) != 1:
        raise ArgumentError(f"{name}: {example}, got {dict(given)!r:.60}")
    ((kind, arguments),) = given.items()
    if kind not in SCALES:
        raise ArgumentError(f"{name}: unknown scale {kind!r}{suggest(kind, SCALES)}")
    bounds = kind != Choice.kind
    if not isinstance(arguments, list) or (bounds and len(arguments) != 2):
        wanted = "[low, high]" if bounds else "a list of options"
        raise ArgumentError(f"{name}: {kind} takes {wanted}, got {arguments!r:.60}")
    try:
        return SCALES[kind](*arguments)
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from None


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
