"""How far an epoch has come."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fastdl.errors import DataError
from fastdl.train.measures import Measures
from fastdl.train.packed import pack, unpack
from fastdl.train.state import count, get, number


class Position:
    """How many batches of an epoch are done, and what they gathered for its row.

    Parameters
    ----------
    epoch : int
        Its number, from 1.
    measures : Measures
        Of no batch yet.

    Attributes
    ----------
    batch, examples : int
        How many batches, and examples in them, the model was trained on.
    """

    def __init__(self, epoch: int, measures: Measures) -> None:
        self.epoch, self.measures = epoch, measures
        self.batch = self.examples = 0
        self._start = time.perf_counter()
        self._end: float | None = None

    @property
    def seconds(self) -> float:
        """The time since the epoch began, until `end`."""
        now = time.perf_counter() if self._end is None else self._end
        return now - self._start

    def add(self, examples: int) -> None:
        """Count a batch."""
        self.batch += 1
        self.examples += examples

    def end(self) -> None:
        """Stop the clock: all batches are done."""
        self._end = time.perf_counter()

    def state_dict(self, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return all that resuming needs; the arrays in it go into `arrays`.

        Raises
        ------
        UnknownKindError
            A metric gathers something that cannot be written.
        """
        return {
            "batch": self.batch,
            "examples": self.examples,
            "seconds": self.seconds,
            "measures": pack(self.measures, self.measures.fresh(), arrays),
        }

    def load_state_dict(
        self,
        state: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        changed: Collection[str] = (),
    ) -> None:
        """Restore it; what another loss or other metrics measure begins anew.

        Parameters
        ----------
        state, arrays
            What `state_dict` made, after `check_position`.
        changed : collection of str
            What has changed meanwhile, "loss" and "metrics" among others.
        """
        self.batch, self.examples = state["batch"], state["examples"]
        self._start = time.perf_counter() - state["seconds"]
        if "loss" in changed or "loss_weights" in changed:
            return
        (attributes,) = state["measures"].values()
        if "metrics" in changed:
            attributes = {k: v for k, v in attributes.items() if k != "_metrics"}
        gathered = self.measures.fresh()
        unpack({"object": attributes}, gathered, arrays)
        self.measures = gathered


def check_position(state: Mapping[str, Any]) -> None:
    """Raise DataError unless a state has the form that `Position` gives it."""
    count(state, "batch")
    count(state, "examples")
    if not 0 <= number(state, "seconds") < float("inf"):
        raise DataError(f"'seconds' must be from 0, got {state['seconds']!r}")
    get(state, "measures", dict, "what was measured")
