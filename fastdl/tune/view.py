"""The state of a study at one moment: which trials are done, running, and to do."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fastdl.errors import DataError
from fastdl.shapes.numbers import is_number
from fastdl.tune.plan import Plan, Tried

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Attributes of a try: its trial, its worker and sign of life, and what went wrong.
NUMBER, WORKER, BEAT, ERROR = "number", "worker", "beat", "error"
_MOST_ERRORS = 3  # failures, if nothing succeeds


class View:
    """The tries of a study.

    A try that failed without an error of its own is void: its worker died, or another
    one was first. Of the others, the first one of each trial counts.

    Parameters
    ----------
    plan : Plan
        The plan of the study.
    tries : iterable of FrozenTrial
        All of them, in any order.

    Attributes
    ----------
    tries : list of FrozenTrial
        In the order of the storage.
    owners : dict of int to FrozenTrial
        By the number of a trial, the try that counts.
    """

    def __init__(self, plan: Plan, tries: Iterable[FrozenTrial]) -> None:
        self._plan = plan
        ours = (each for each in tries if type(each.user_attrs.get(NUMBER)) is int)
        self.tries = sorted(ours, key=lambda each: each.number)
        self.owners: dict[int, FrozenTrial] = {}
        for each in self.tries:
            if state(each) != "failed" or ERROR in each.user_attrs:
                self.owners.setdefault(each.user_attrs[NUMBER], each)

    @cached_property
    def running(self) -> list[FrozenTrial]:
        """The tries that are running, or whose workers are dead."""
        return [each for each in self.tries if not each.state.is_finished()]

    @cached_property
    def finished(self) -> dict[int, FrozenTrial]:
        """The tries that have an outcome, by the number of the trial."""
        return {n: each for n, each in self.owners.items() if each.state.is_finished()}

    @cached_property
    def tried(self) -> dict[int, Tried]:
        """Values and scores of the finished trials."""
        return {
            number: Tried(self.params(each), score(each))
            for number, each in self.finished.items()
        }

    @property
    def free(self) -> int | None:
        """The first trial that nobody has."""
        return next((n for n in range(self._plan.size) if n not in self.owners), None)

    @property
    def is_done(self) -> bool:
        """Whether all trials have an outcome."""
        return all(number in self.finished for number in range(self._plan.size))

    @property
    def hopeless(self) -> str | None:
        """The first error, if three trials failed and none succeeded; or None."""
        finished = [each for _, each in sorted(self.finished.items())]
        errors = [t.user_attrs[ERROR] for t in finished if ERROR in t.user_attrs]
        enough = len(errors) >= min(_MOST_ERRORS, self._plan.size)
        return errors[0] if enough and len(errors) == len(finished) else None

    def params(self, each: FrozenTrial) -> dict[str, Any]:
        """Return the values of a try by name, in the order of the space."""
        return {
            name: scale.stored(each.params[scale.stored_name(name)])
            for name, scale in self._plan.space.items()
            if scale.stored_name(name) in each.params
        }


def state(each: FrozenTrial) -> str:
    """Return "complete", "pruned", "failed" or "running"."""
    name = each.state.name.lower()
    return "failed" if name == "fail" else name


def score(each: FrozenTrial) -> float | None:
    """Return the score of a completed try, otherwise None.

    Raises
    ------
    DataError
        The storage has something else, which fastdl did not put there.
    """
    if state(each) != "complete":
        return None
    if not is_number(each.value):
        raise DataError(f"the storage is damaged: a score is {each.value!r:.60}")
    return each.value
