"""Several workers of one study on this machine: started, watched, replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastdl.errors import FastdlError
from fastdl.tune.lease import Watch, forget, new_name
from fastdl.tune.storage import StorageDown
from fastdl.tune.study import Study
from fastdl.tune.view import View

# Each is a process of one thread: one trial per core is faster than one on all cores.
_ONE_THREAD = dict.fromkeys(
    ("FASTDL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
_MOST_STILLBORN = 3


class Crew:
    """Processes that run the trials of a study; they end with the ``with`` block.

    They are new interpreters, not forks, so they share nothing with this process.

    Parameters
    ----------
    study : Study
        The study that they work on.
    storage : str
        Where it is.
    folder : path, optional
        Where the locks of workers are.
    jobs : int
        How many processes.
    patience : float, optional
        How many seconds the storage may be down.
    objective : dict
        What they run. They take it from here, not from the storage: whoever can write
        there must not choose which function is imported and called.
    """

    def __init__(
        self,
        study: Study,
        storage: str,
        folder: Path | None,
        jobs: int,
        patience: float | None,
        objective: dict[str, Any],
    ) -> None:
        self._study, self._watch = study, Watch(study, folder)
        self._task = {
            "storage": storage,
            "name": study.name,
            "folder": None if folder is None else str(folder),
            "patience": patience,
            "objective": objective,
        }
        self._jobs, self._folder = jobs, folder
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._stillborn = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        for process in self._workers.values():
            if kind is not None:
                process.kill()
            _close_input(process)  # which ends it, unless it has ended
        for name, process in self._workers.items():
            process.wait()
            forget(name, self._folder)
            if kind is not StorageDown:
                self._study.release(name)

    def look(self, view: View) -> None:
        """Replace workers that died, and free the trials of these and other dead ones.

        Parameters
        ----------
        view : View
            The present state of the study.

        Raises
        ------
        FastdlError
            A worker ended with an error, or none starts.
        """
        for name, process in list(self._workers.items()):
            if process.poll() is not None:
                del self._workers[name]
                self._bury(name, process)
        self._watch.look(view)
        while len(self._workers) < self._jobs:
            self._start()

    def _bury(self, name: str, process: subprocess.Popen[bytes]) -> None:
        _close_input(process)
        died = process.returncode < 0
        freed = self._study.release(name, killed=died)
        forget(name, self._folder)
        if process.returncode > 0:
            raise FastdlError("search: a worker ended with an error, see above")
        self._stillborn = self._stillborn + 1 if died and not freed else 0
        if self._stillborn > _MOST_STILLBORN:
            raise FastdlError(
                f"search: workers die before they have a trial, of signal "
                f"{-process.returncode}"
            )

    def _start(self) -> None:
        name = new_name()
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-m", "fastdl.tune"],
            stdin=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path},
        )
        self._workers[name] = process
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died already
            process.stdin.write(json.dumps(self._task | {"worker": name}).encode())
            process.stdin.write(b"\n")
            process.stdin.flush()


def _close_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it did not read everything
        process.stdin.close()
