"""A measure that should improve from epoch to epoch."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from fastdl.errors import ArgumentError, near, suggest
from fastdl.metrics import lower_is_better
from fastdl.metrics.lookup import names
from fastdl.optim.optimizer import is_in
from fastdl.train.state import number

_BETTER: dict[str, Callable[[float, float], bool]] = {
    "min": operator.lt,  # not lambdas: callbacks can be pickled
    "max": operator.gt,
}


class Monitor:
    """Watches one column of the history.

    Parameters
    ----------
    name : str
        The column, such as "val_loss".
    min_delta : float
        The least improvement that counts, >= 0.
    mode : str, optional
        "min" or "max". By default what the name implies, see
        `fastdl.metrics.lower_is_better`: "min" for losses and errors, "max" for
        accuracies, precision, recall, F1, R2, ...
    who : str
        For the messages.

    Attributes
    ----------
    best : float
        The best value so far; NaN before the first.
    """

    def __init__(self, name: str, min_delta: float, mode: str | None, who: str) -> None:
        self.name, self._who = name, who
        if not is_in(min_delta, math.inf):
            raise ArgumentError(
                f"{who}: min_delta must be a number >= 0, got {min_delta!r}"
            )
        if mode is None:
            mode = _usual_mode(name, who)
        if mode not in _BETTER:
            raise ArgumentError(
                f"{who}: mode must be 'min' or 'max', got {mode!r}"
                f"{suggest(str(mode), _BETTER)}"
            )
        self._choice = {"monitor": name, "min_delta": min_delta, "mode": mode}
        self._better = _BETTER[mode]
        self._margin = -min_delta if mode == "min" else min_delta
        self.reset()

    def reset(self) -> None:
        """Forget the best value."""
        self.best = math.nan

    def decides(self) -> dict[str, Any]:
        """Return the settings that say which value is better."""
        return dict(self._choice)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, and of which column."""
        return {"best": self.best, "monitor": self.name}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it, unless it is of another column.

        Raises
        ------
        DataError
            The state is damaged.
        """
        same = state.get("monitor", self.name) == self.name
        self.best = number(state, "best") if same else math.nan

    def value(self, row: dict[str, float]) -> float:
        """Return the watched value; ArgumentError if the row has none."""
        if self.name not in row:
            hint = suggest(self.name, row)
            if self.name.startswith("val_") and "val_loss" not in row:
                hint = (
                    f"; give fit validation data, or watch "
                    f"{self.name.removeprefix('val_')!r}"
                )
            raise ArgumentError(f"{self._who}: there is no {self.name!r}{hint}")
        return row[self.name]

    def improves(self, row: dict[str, float]) -> bool:
        """Take in a new value; return whether it is the best. NaN never is."""
        value = self.value(row)
        first = math.isnan(self.best) and not math.isnan(value)
        if first or self._better(value, self.best + self._margin):
            self.best = value
            return True
        return False


def _usual_mode(name: str, who: str) -> str:
    lower = lower_is_better(name)
    if lower is None:
        known = ["loss", *names()]
        hint = near(name, [*known, *(f"val_{each}" for each in known)])
        raise ArgumentError(
            f"{who}: is more or less of {name!r} better? Give mode={hint}"
        )
    return "min" if lower else "max"
