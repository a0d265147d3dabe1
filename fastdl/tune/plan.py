"""Which values each trial gets: at random, on a grid, from coarse to fine, by TPE.

Trials are numbered from 0. The values of a trial depend on the plan, its number and,
for methods that learn, the results of earlier trials; never on who runs it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, DataError, FastdlError, suggest
from fastdl.shapes import integer
from fastdl.tune.space import Space
from fastdl.typing import Json

METHODS = ("random", "grid", "coarse_to_fine", "tpe")
"""The ways to choose the next settings, see `search`."""
PRUNERS = ("median", "halving")
"""The ways to stop hopeless trials early."""
ROUNDS = 3  # of coarse-to-fine
_GOOD = 0.25  # share of all trials that the next round stays near


class Tried(NamedTuple):
    """A finished trial: its values, and its score or None."""

    params: dict[str, Any]
    score: float | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that determines a search; it is kept with the study.

    Attributes
    ----------
    objective : dict
        What is scored, as data for JSON.
    space : Space
        The hyperparameters.
    trials : int
        How many; a grid may have fewer points.
    method : str
        One of `METHODS`.
    pruner : str, optional
        One of `PRUNERS`: how to stop hopeless trials early.
    seed : int
        Seed of the random draws.
    mode : str
        Whether the "max" or the "min" score is best.
    """

    objective: dict[str, Any]
    space: Space
    trials: int
    method: str = "random"
    pruner: str | None = "median"
    seed: int = 0
    mode: str = "max"

    def __post_init__(self) -> None:
        integer(self.trials, "search: trials")
        integer(self.seed, "search: seed", minimum=0)
        for name, known in (
            ("method", METHODS),
            ("pruner", (*PRUNERS, None)),
            ("mode", ("max", "min")),
        ):
            value = getattr(self, name)
            if value not in known:
                hint = suggest(str(value), map(str, known))
                raise ArgumentError(f"search: unknown {name} {value!r}{hint}")
        _ = self.size  # a grid may be too large

    def to_json(self) -> dict[str, Json]:
        """Return what `from_json` takes."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return fields | {"space": self.space.to_json()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: str) -> Plan:
        """Make a plan from what a study keeps; DataError names the source."""
        try:
            return cls(**{**fields, "space": Space.from_json(fields["space"])})
        except (TypeError, KeyError, AttributeError, FastdlError) as error:
            raise DataError(f"{source} is no search of this fastdl: {error}") from None

    @property
    def size(self) -> int:
        """How many trials there will be."""
        return len(self._grid) if self.method == "grid" else self.trials

    @property
    def is_sampled(self) -> bool:
        """Whether Optuna's sampler chooses the values, from all trials so far."""
        return self.method == "tpe"

    def params(self, number: int, tried: Mapping[int, Tried]) -> dict[str, Any] | None:
        """Return the values of a trial, or None while it waits for earlier ones.

        From coarse to fine, a third of the trials is drawn from the whole space, the
        next third from the part that the best quarter of all trials so far spans, and
        the last third likewise; for the margins see `fastdl.tune.Space.zoomed`.

        Parameters
        ----------
        number : int
            Of the trial, from 0.
        tried : mapping of int to Tried
            The finished trials by number.
        """
        if self.method == "grid":
            return self._grid[number]
        space = self.space
        if self.method == "coarse_to_fine" and (first := self._round_start(number)):
            if any(earlier not in tried for earlier in range(first)):
                return None
            good = self.best([tried[earlier] for earlier in range(first)])
            space = space.zoomed([trial.params for trial in good]) if good else space
        return space.draw(np.random.default_rng([self.seed, number]))

    def best(self, tried: list[Tried]) -> list[Tried]:
        """Return the trials with the best scores, up to a quarter of all."""
        scored = [trial for trial in tried if trial.score is not None]
        sign = -1 if self.mode == "max" else 1
        scored.sort(key=lambda trial: sign * (trial.score or 0.0))  # stable
        return scored[: math.ceil(_GOOD * len(tried))]

    @cached_property
    def _grid(self) -> list[dict[str, Any]]:
        points = self.space.grid(self.trials)
        order = np.random.default_rng(self.seed).permutation(len(points))
        return [points[i] for i in order]  # any first part is a fair sample

    def _round_start(self, number: int) -> int:
        """Return the first trial of the round that a trial is in."""
        starts = (math.ceil(k * self.trials / ROUNDS) for k in range(ROUNDS))
        return max(start for start in starts if start <= number)
