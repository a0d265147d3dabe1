"""What is scored: a function of yours, or the training of a `fastdl.train.Job`."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from fastdl.errors import ArgumentError
from fastdl.train import OPTIMIZERS, Job, Parts
from fastdl.train.recipes import recipe_fields
from fastdl.tune.scale import Choice
from fastdl.tune.space import Space
from fastdl.tune.trial import Trial
from fastdl.typing import Json

Objective = Callable[[Trial], float]

# Settings of a job that are not single numbers or texts, or that change the data, so
# that scores could not be compared.
_NOT_SEARCHED = (
    *("dataset", "recipe", "augment", "model_options"),
    *("size", "data_dir", "lazy"),
)


class Training:
    """The objective of a job: trains it, and scores it on the dev set.

    Parameters
    ----------
    job : Job
        What stays the same in all trials.
    monitor : str
        The column of the history that is the score, such as "val_accuracy".

    Raises
    ------
    ArgumentError
        The column is not of the dev set.
    """

    def __init__(self, job: Job, monitor: str) -> None:
        if not monitor.startswith("val_"):
            raise ArgumentError(
                f"search: the dev set decides; expected a column such as "
                f"'val_accuracy', got {monitor!r}"
            )
        self.job, self.monitor = job, monitor
        self._loaded: tuple[Job, Parts] | None = None

    def with_values(self, params: Mapping[str, Any]) -> Job:
        """Return the job of a trial.

        If the optimiser changes and the rate is not searched, it is the usual rate of
        the optimiser, as in ``fastdl train``.
        """
        changes = dict(params)
        optimizer = changes.get("optimizer", self.job.recipe.optimizer)
        if optimizer != self.job.recipe.optimizer and optimizer in OPTIMIZERS:
            changes.setdefault("lr", OPTIMIZERS[optimizer][1])
        return self.job.replace(**changes)

    def check(self, space: Space) -> None:
        """Raise ArgumentError if a name is unknown or a value does not fit."""
        own = [field.name for field in dataclasses.fields(Job)]
        space.check_names(n for n in [*recipe_fields(), *own] if n not in _NOT_SEARCHED)
        middle = {name: scale.value(0.5) for name, scale in space.items()}
        for name, scale in space.items():
            count = scale.most() if isinstance(scale, Choice) else 2
            for value in scale.grid(int(count)):
                self.with_values(middle | {name: value})

    def __call__(self, trial: Trial) -> float:
        """Train; return the score of the weights that are kept at the end."""
        job = self.with_values(trial.params)
        parts = self._load(job)
        rows = job.fit(
            parts, callbacks=[trial.callback(self.monitor)], progress=False
        ).history.rows
        kept = rows[-1]
        if job.patience is not None:
            kept = min(rows, key=lambda row: row["val_loss"])
        return kept[self.monitor]

    def _load(self, job: Job) -> Parts:
        """Load the data, once for all trials with the same data."""
        data = dataclasses.replace(self.job, seed=job.seed, examples=job.examples)
        if self._loaded is None or self._loaded[0] != data:
            self._loaded = (data, data.load())
        return self._loaded[1]


def describe(objective: Objective | Training) -> dict[str, Json]:
    """Return an objective as data for JSON; a function by its module and name."""
    if isinstance(objective, Training):
        job = json.loads(json.dumps(objective.job.to_dict()))
        return {"job": job, "monitor": objective.monitor}
    module = getattr(objective, "__module__", None)
    return {"function": f"{module}:{getattr(objective, '__qualname__', None)}"}


def find(description: Mapping[str, Any]) -> Objective:
    """Return the objective of a description.

    Raises
    ------
    ArgumentError
        It is a function that cannot be imported.
    """
    if "job" in description:
        return Training(Job.from_dict(description["job"]), description["monitor"])
    where = description["function"]
    module, _, name = where.partition(":")
    advice = "; with several jobs it must be a function of a module"
    if module == "__main__" or "<" in name:
        raise ArgumentError(f"search: workers cannot import {where}{advice}")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ArgumentError(
            f"search: workers cannot import {where}: {error}{advice}"
        ) from None
    return found
