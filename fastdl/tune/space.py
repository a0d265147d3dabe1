"""What is searched: hyperparameters by name, in Python or in a TOML file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastdl.errors import ArgumentError, suggest
from fastdl.files import naming, read_toml
from fastdl.tune.scale import SCALES, Choice, Scale, Value

_LARGEST_GRID = 100_000  # points; they are all made at once


class Space(Mapping[str, Scale]):
    """Hyperparameters by name, each with its scale.

    Parameters
    ----------
    scales : mapping of str to Scale
        At least one; anything but a scale, such as ``"adam"``, is a fixed value.

    Raises
    ------
    ArgumentError
        There are none, or a fixed value is not a text, number or bool.
    """

    def __init__(self, scales: Mapping[str, Scale | Value]) -> None:
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
        """The names of those with more than one value."""
        return [name for name, scale in self.items() if scale.most() > 1]

    def check_names(self, known: Iterable[str]) -> None:
        """Raise ArgumentError if there is a name that is not `known`."""
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
        """Return the largest full grid of at most this many points.

        A choice contributes all its options. The others get equally many values, at
        equal distances along the scale; the first ones get one more, as far as `most`
        allows.

        Raises
        ------
        ArgumentError
            The choices alone have more points, or `most` is above 100,000.
        """
        if most > _LARGEST_GRID:
            raise ArgumentError(
                f"a grid has at most {_LARGEST_GRID:,} points, got {most} trials; "
                f"search at random"
            )
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

    def to_json(self) -> dict[str, dict[str, list[Value]]]:
        """Return what `from_json` takes."""
        return {name: scale.to_json() for name, scale in self.items()}

    @classmethod
    def from_json(cls, scales: Mapping[str, Any]) -> Space:
        """Make a space from tables of one entry, as TOML files have them.

        For example ``{"lr": {"log": [1e-4, 1.0]}, "optimizer": "adam"}``; anything but
        a table is a fixed value.

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
        There is no such file, or it is not TOML.
    ArgumentError
        A scale is unknown, a range is wrong, or the file is empty.
    """
    tables = read_toml(path)
    with naming(path):
        return Space.from_json(tables)


def _scale(name: str, given: Any) -> Scale | Value:
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
