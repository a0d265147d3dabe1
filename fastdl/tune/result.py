"""What a search found."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections import Counter
from contextlib import closing
from typing import Any, NamedTuple

from fastdl.errors import DataError
from fastdl.files import reading, write_text
from fastdl.tune.objective import Training, find
from fastdl.tune.plan import Plan
from fastdl.tune.study import Study
from fastdl.tune.view import ERROR, View, score, state


class Outcome(NamedTuple):
    """One finished trial.

    Attributes
    ----------
    number : int
        From 0.
    state : str
        "complete", "pruned" or "failed".
    score : float or None
        On the dev set, if complete.
    params : dict
        Its values.
    curve : dict of int to float
        The score after each step that was reported.
    seconds : float
        How long it took.
    why : str
        Why it has no score.
    """

    number: int
    state: str
    score: float | None
    params: dict[str, Any]
    curve: dict[int, float]
    seconds: float
    why: str


class SearchResult:
    """The finished trials of a search.

    Attributes
    ----------
    plan : Plan
        What was searched, and how.
    trials : list of Outcome
        The finished ones, by number.
    """

    def __init__(self, study: Study, view: View | None = None) -> None:
        self._study = study
        self.plan: Plan = study.plan
        view = view or study.look()
        with reading(f"the study {study.name!r}"):
            self.trials = [
                Outcome(
                    number,
                    state(each),
                    score(each),
                    view.params(each),
                    dict(sorted(each.intermediate_values.items())),
                    float(each.user_attrs.get("seconds", math.nan)),
                    str(each.user_attrs.get(ERROR, each.user_attrs.get("why", ""))),
                )
                for number, each in sorted(view.finished.items())
            ]

    def __str__(self) -> str:
        """Return how many trials there are, and the best one."""
        states = Counter(trial.state for trial in self.trials)
        counts = ", ".join(f"{count} {name}" for name, count in states.items())
        lines = [f"{len(self.trials)} trials: {counts}"]
        if ranked := self.ranked():
            best = ranked[0]
            values = ", ".join(f"{name} {value}" for name, value in best.params.items())
            lines.append(f"best: {best.score:g} of trial {best.number}, {values}")
        return "\n".join(lines)

    def ranked(self) -> list[Outcome]:
        """Return the trials that have a score, the best first."""
        sign = -1 if self.plan.mode == "max" else 1
        scored = [trial for trial in self.trials if trial.score is not None]
        return sorted(scored, key=lambda trial: sign * (trial.score or 0.0))

    @property
    def best(self) -> Outcome:
        """The trial with the best score; of equals the first.

        Raises
        ------
        DataError
            None has a score.
        """
        ranked = self.ranked()
        if not ranked:
            reasons = [trial.why for trial in self.trials if trial.why]
            why = f"; the first: {reasons[0]}" if reasons else ""
            raise DataError(f"search: no trial of {len(self.trials)} has a score{why}")
        return ranked[0]

    @property
    def best_config(self) -> dict[str, Any]:
        """The settings of the best trial: all those of a job, or just its values."""
        if "job" not in self.plan.objective:
            return self.best.params
        training = find(self.plan.objective)
        assert isinstance(training, Training)
        return training.with_values(self.best.params).to_dict()

    def save_best(self, path: str | os.PathLike[str]) -> None:
        """Write `best_config` as JSON; for a job, ``train --config`` takes it."""
        write_text(path, json.dumps(self.best_config, indent=2) + "\n")

    @property
    def table(self) -> list[dict[str, Any]]:
        """All trials as rows: number, state, score, each value, seconds, why."""
        return [
            {"trial": t.number, "state": t.state, "score": t.score}
            | t.params
            | {"seconds": t.seconds, "why": t.why}
            for t in self.trials
        ]

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write `table` as CSV; numbers keep all their digits."""
        text = io.StringIO()
        names = ["trial", "state", "score", *self.plan.space, "seconds", "why"]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.table)
        write_text(path, text.getvalue())

    def importance(self) -> dict[str, float]:
        """Return how much each hyperparameter matters for good scores; they sum to 1.

        By PED-ANOVA (Watanabe et al. 2023), as Optuna computes it, from the trials with
        a score. Empty if there are fewer than ten of these, or their scores are equal.
        """
        scores = [trial.score for trial in self.ranked()]
        if len(scores) < 10 or scores[0] == scores[-1]:
            return {}
        with closing(self._study):
            return self._study.importance()
