"""Runs the trials of a study until none is left, in this process or one of several.

``python -m fastdl.tune`` is started by `fastdl.tune.search`. It reads its orders from
standard input, and ends when that is closed, as its parent is dead.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from fastdl.errors import ArgumentError, FastdlError, NonFiniteError
from fastdl.tune import unsent
from fastdl.tune.lease import Lease, Presence, Watch, new_name
from fastdl.tune.objective import Objective, find
from fastdl.tune.storage import StorageDown, open_storage
from fastdl.tune.study import Claim, LostError, Study
from fastdl.tune.trial import Trial

_SHORTEST_WAIT, _LONGEST_WAIT = 0.02, 1.0


def work(
    study: Study,
    objective: Objective,
    folder: Path | None = None,
    after_trial: Callable[[], None] = lambda: None,
    name: str | None = None,
    alone: bool = True,
) -> None:
    """Run trials until all have an outcome, whoever runs the others.

    Parameters
    ----------
    study : Study
        The study to work on.
    objective : callable
        ``objective(trial) -> score``.
    folder : path, optional
        Where the locks of the workers are.
    after_trial : callable
        Called after each trial.
    name : str, optional
        Of this worker.
    alone : bool
        Whether there is no parent process that watches the locks.
    """
    name = name or new_name()
    presence, watch = Presence(name, folder), Watch(study, folder if alone else None)
    wait = _SHORTEST_WAIT
    try:
        while not ((view := study.look()).is_done or view.hopeless):
            watch.look(view)
            claim = study.claim(name, view)
            if claim is None:
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            wait = _SHORTEST_WAIT
            run(study, claim, objective, folder)
            after_trial()
    finally:
        presence.close()


def run(
    study: Study, claim: Claim, objective: Objective, folder: Path | None = None
) -> None:
    """Run one trial and keep its outcome, in the folder if the storage is down."""
    start = time.perf_counter()
    state, score, error = "failed", None, None
    try:
        with Lease(study, claim.id) as lease:
            trial = Trial(study, claim, lease)
            try:
                score = _number(objective(trial), trial)
                if not math.isfinite(score):
                    trial.give_up(f"the score is {score}")
            except NonFiniteError as diverged:
                trial.give_up(str(diverged))
            except StorageDown:
                raise
            except Exception as failure:
                error = f"{type(failure).__name__}: {failure}"
    except StorageDown:
        raise
    except BaseException:  # also Ctrl-C: another worker will try it again
        study.void(claim.id)
        raise
    outcome: dict[str, Any] = {"seconds": time.perf_counter() - start}
    if error is not None:
        outcome |= {"error": error}
    elif trial.why is not None:
        state, score = "pruned", None
        outcome |= {"why": trial.why}
    else:
        state = "complete"
    outcome |= {"state": state, "score": score}
    try:
        study.finish(claim.id, **outcome)
    except LostError:  # another worker has it
        pass
    except StorageDown:
        if folder is not None:
            unsent.keep(folder, claim.id, outcome)
        raise


def _number(score: Any, trial: Trial) -> float:
    """Return a score; NaN for a trial that has ended early, where it does not count."""
    try:
        return float(score)
    except (TypeError, ValueError, OverflowError):
        if trial.stopped:
            return math.nan
        raise ArgumentError(
            f"search: the objective must return one number, got {score!r:.60}"
        ) from None


def main() -> None:
    """Run as a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115
    task = json.loads(orders.readline())
    threading.Thread(target=_end_with_parent, args=(orders,), daemon=True).start()
    folder = None if task["folder"] is None else Path(task["folder"])
    try:
        study = Study(open_storage(task["storage"], task["patience"]), task["name"])
        objective = find(task["objective"])
        work(study, objective, folder, name=task["worker"], alone=False)
    except FastdlError as error:
        sys.exit(f"{error}")


def _end_with_parent(orders: IO[bytes]) -> None:
    orders.read()
    os._exit(1)
