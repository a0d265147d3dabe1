"""Leases: workers show that they are alive; others take over from dead ones.

A worker renews its lease on a trial by counting up an attribute of the try. Whoever
sees no change for a minute, by its own clock, declares the try void; the clocks of
several machines need not agree. On one machine there is no need to wait: a worker holds
a lock on a file, which ends with it. Storages have nothing like this (a journal), or
only from some time after a trial has started (Optuna's databases), so this is used for
all.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from fastdl.errors import DataError
from fastdl.tune.study import LostError, Study
from fastdl.tune.view import BEAT, WORKER, View

try:
    import fcntl
except ImportError:  # Windows: leases end by the clock only
    fcntl = None  # type: ignore[assignment]

INTERVAL = 10.0  # seconds between two signs of life
GRACE = 60.0  # without a sign of life


def new_name() -> str:
    """Return a name for a worker of this machine."""
    return f"{platform.node()}-{os.urandom(6).hex()}"


class Presence:
    """The lock that shows that a worker's process is alive.

    Parameters
    ----------
    worker : str
        Its name.
    folder : path, optional
        Where the lock is; without it only the lease counts.
    """

    def __init__(self, worker: str, folder: Path | None) -> None:
        self._path: Path | None = None
        if folder is not None and fcntl is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._path = _lock_of(folder, worker)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            with suppress(OSError):  # a file system without locks
                fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """Release the lock."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)


def forget(worker: str, folder: Path | None) -> None:
    """Remove the lock of a worker that was ended."""
    if folder is not None:
        _lock_of(folder, worker).unlink(missing_ok=True)


def _lock_of(folder: Path, worker: str) -> Path:
    return folder / f".{worker}.lock"


class Lease:
    """Renews the lease on a try during a ``with`` block.

    Attributes
    ----------
    lost : bool
        Whether the try was declared void nevertheless.
    """

    def __init__(self, study: Study, own: int) -> None:
        self._study, self._own = study, own
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self.lost = False

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def _renew(self) -> None:
        count = 0
        while not self._end.wait(INTERVAL):
            count += 1
            try:
                self._study.beat(self._own, count)
            except LostError:
                self.lost = True
                return
            except DataError:  # the storage is down, the trial goes on
                continue


class Watch:
    """Voids the tries of dead workers.

    Parameters
    ----------
    study : Study
        The study to watch.
    folder : path, optional
        Where the locks of workers are.
    """

    def __init__(self, study: Study, folder: Path | None) -> None:
        self._study, self._folder = study, folder
        self._seen: dict[int, tuple[object, float]] = {}

    def look(self, view: View) -> None:
        """Compare a view with earlier ones; to be called repeatedly."""
        now = time.monotonic()
        for each in view.running:
            own, beat = each._trial_id, each.user_attrs.get(BEAT)
            seen, since = self._seen.setdefault(own, (beat, now))
            if beat != seen:
                self._seen[own] = (beat, now)
            elif now - since > GRACE or self._has_no_lock(each.user_attrs[WORKER]):
                self._study.void(own)

    def _has_no_lock(self, worker: str) -> bool:
        """Whether a worker of this machine has lost its lock, so is dead."""
        if self._folder is None or fcntl is None:
            return False
        if not worker.startswith(f"{platform.node()}-"):
            return False  # locks of other machines may not be seen
        path = _lock_of(self._folder, worker)
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(file)
