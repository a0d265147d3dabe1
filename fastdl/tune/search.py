"""Search of hyperparameters: one process, several, or several machines."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from fastdl.errors import ArgumentError, FastdlError
from fastdl.files import as_path
from fastdl.progress import progress_bar
from fastdl.shapes import integer
from fastdl.train import Job
from fastdl.train.monitor import Monitor
from fastdl.tune import objective as objectives
from fastdl.tune import unsent
from fastdl.tune.crew import Crew
from fastdl.tune.objective import Objective, Training
from fastdl.tune.plan import Plan
from fastdl.tune.result import SearchResult
from fastdl.tune.scale import Scale, Value
from fastdl.tune.space import Space
from fastdl.tune.storage import open_storage
from fastdl.tune.study import Study
from fastdl.tune.view import View
from fastdl.tune.worker import work

JOURNAL = "study.journal"  # in the output folder
_POLL = 0.3  # seconds


def search(
    objective: Objective | Job,
    space: Mapping[str, Scale | Value],
    *,
    trials: int = 20,
    method: str = "random",
    pruner: str | None = "median",
    seed: int = 0,
    monitor: str = "val_accuracy",
    mode: str | None = None,
    jobs: int = 1,
    out: str | os.PathLike[str] | None = None,
    storage: str | None = None,
    name: str | None = None,
    resume: bool = False,
    patience: float | None = None,
    progress: bool | None = None,
) -> SearchResult:
    """Try values of hyperparameters, and find those with the best score.

    ::

        def objective(trial):
            trainer = make_trainer(lr=trial["lr"], momentum=trial["momentum"])
            trainer.fit(train, epochs=5, validation=dev, callbacks=[trial.callback()])
            return trainer.history["val_accuracy"][-1]


        space = {"lr": tune.Log(1e-4, 1), "momentum": tune.OneMinusLog(0.9, 0.999)}
        result = tune.search(objective, space, trials=30)
        result.best.params

    or ``tune.search(train.Job("digits"), space, trials=60, jobs=2, out="runs/lr")``.
    Score on the dev set: the test set must not influence any choice.

    Parameters
    ----------
    objective : Job or callable
        A training, of which the space names settings; or ``objective(trial) -> score``,
        see `fastdl.tune.Trial`. If it raises, its trial has failed; a loss that is not
        finite ends it as hopeless. With several jobs it must be a function in a module
        that each process can import.
    space : mapping of str to Scale
        The hyperparameters to search; other values are fixed.
    trials : int
        How many, from 1; a grid has at most this many points.
    method : str
        "random"; "grid"; "coarse_to_fine": a third of the trials in the whole space,
        then two thirds within the part that the best quarter of all trials spans
        (see `fastdl.tune.Space.zoomed`); or "tpe", Optuna's sampler.
    pruner : str, optional
        How to stop trials early that are behind others after the same step: "median"
        (after five trials, those below the median), "halving" (successive halving: the
        best third continues after steps 1, 3, 9, ...), or None. With several jobs it
        depends on their timing which trials are stopped.
    seed : int
        The values of a trial depend on it, on the number of the trial and, except for
        random search and grids, on earlier scores.
    monitor : str
        For a job: the column of the history to score by, one of the dev set. The score
        is that of the last epoch or, with patience, of the epoch whose weights are
        kept.
    mode : str, optional
        Whether the "max" or the "min" of the score is best. By default "max", for a job
        what `monitor` needs.
    jobs : int
        Trials at a time: with more than one, processes of one thread each.
    out : path, optional
        A folder for the study. With several jobs it or a storage is needed; with
        neither the study lives in this process only.
    storage : str, optional
        Where the study is kept: a path or a URL, see `fastdl.tune.open_storage`;
        several machines share one. By default a journal in `out`.
    name : str, optional
        The name of the study in the given storage; by default that of the folder.
    resume : bool
        Continue the study of this name, or help others to. The arguments must be the
        same, except that `trials` of a random search or TPE may grow.
    patience : float, optional
        How many seconds the storage may be down; 300 by default.
    progress : bool, optional
        Whether to show a bar; by default only on a terminal or in a notebook.

    Returns
    -------
    SearchResult

    Raises
    ------
    ArgumentError
        An argument is wrong; such a study exists already, or there is none to continue,
        or it has other arguments.
    FastdlError
        No trial succeeded; a worker failed; Optuna is missing.
    StorageDown
        The storage did not answer for too long. Finished trials are kept.
    """
    space = space if isinstance(space, Space) else Space(space)
    integer(jobs, "search: jobs")
    if isinstance(objective, Job):
        mode = Monitor(monitor, 0.0, mode, "search").decides()["mode"]
        objective = Training(objective, monitor)
        objective.check(space)
    description = objectives.describe(objective)
    plan = Plan(description, space, trials, method, pruner, seed, mode or "max")
    folder = None if out is None else as_path(out)
    if name is None:  # a journal has one study, and its folder may be renamed
        name = folder.resolve().name if folder is not None and storage else "search"
    if storage is None and folder is not None:
        storage = str(folder / JOURNAL)
    if storage is None and (jobs > 1 or resume):
        raise ArgumentError(
            f"search: {'several jobs' if jobs > 1 else 'resume'} needs a study that is "
            f"kept; give out=, a folder"
        )
    if jobs > 1:
        objectives.find(description)  # here, to fail at once
    study = _open(open_storage(storage, patience), name, plan, resume)
    with closing(study), _Progress(study, progress) as bar:
        if folder is not None:
            unsent.deliver(study, folder)
        if jobs == 1:
            work(study, objective, folder, bar.update)
        else:
            assert storage is not None
            needed = min(jobs, plan.size)
            with Crew(study, storage, folder, needed, patience, description) as crew:
                while not ((view := study.look()).is_done or view.hopeless):
                    crew.look(view)
                    bar.update(view)
                    time.sleep(_POLL)
        view = study.look()
        bar.update(view)
        if error := view.hopeless:
            raise FastdlError(f"search: no trial succeeded; the first: {error}")
        return SearchResult(study, view)


def _open(storage: Any, name: str, plan: Plan, resume: bool) -> Study:
    if not resume:
        return Study(storage, name, plan)
    if not Study.exists(storage, name):
        raise ArgumentError(f"there is no study {name!r} to go on with")
    study = Study(storage, name)
    known = study.plan.to_json()
    changed = [key for key, value in plan.to_json().items() if value != known[key]]
    if changed == ["trials"] and plan.method in ("random", "tpe"):
        study.extend(plan.trials)
    elif changed:
        raise ArgumentError(
            f"the study {name!r} was made with other {' and '.join(changed)}: "
            + "; ".join(f"{key} {known[key]!r:.200}" for key in changed)
        )
    return study


class _Progress:
    """A bar of the finished trials, with the best score so far."""

    def __init__(self, study: Study, progress: bool | None) -> None:
        self._study = study
        self._bar: Any = progress_bar(
            total=study.plan.size, unit=" trials", shown=progress
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def update(self, view: View | None = None) -> None:
        """Report the present state, if the bar is shown."""
        if self._bar.disable:
            return
        result = SearchResult(self._study, view)
        if ranked := result.ranked():
            best = ranked[0]
            self._bar.set_postfix_str(
                f"best {best.score:.4g} (trial {best.number})", refresh=False
            )
        self._bar.n = len(result.trials)
        self._bar.refresh()
