"""Where studies are kept: Optuna's storages, with retries.

A journal is a file that several processes append to; any other storage is a database,
given by its URL. A call that fails because the storage is down is repeated after waits
that double, before it becomes an error: a database may restart without costing a trial.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.files import parse_json, read_file, reading

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

Answer = TypeVar("Answer")

PATIENCE = 300.0  # seconds that a storage may be down
_OPENING = 10.0  # for a new one, as its address may be wrong
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 15.0
_JITTER = random.Random()  # leaves the global state alone


class StorageDown(DataError):
    """A storage that did not answer, after all retries."""


def import_optuna() -> ModuleType:
    """Return Optuna, and make it silent.

    Raises
    ------
    FastdlError
        It is missing.
    """
    try:
        import optuna
    except ImportError:
        raise FastdlError(
            'a search needs Optuna: pip install "fastdl-cpu[tune]"'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_storage(where: str | None, patience: float | None = None) -> BaseStorage:
    """Open a storage, or make it; its ``remove_session()`` closes connections.

    Parameters
    ----------
    where : str, optional
        The path of a journal file; or a URL such as
        ``postgresql://user@host/database``, of any database that SQLAlchemy knows. By
        default the memory of this process.
    patience : float, optional
        How many seconds it may be down later; at most 10 while it is opened.

    Raises
    ------
    StorageDown
        It does not answer.
    ArgumentError
        It is not a URL.
    FastdlError
        A package is missing.
    OSError
        The journal cannot be written.
    """
    optuna = import_optuna()
    patience = PATIENCE if patience is None else patience
    if where is None:
        return optuna.storages.InMemoryStorage()
    name = hidden_password(where)
    if "://" in where:
        make = partial(_open_database, optuna, where)
        opened, close = _persist(make, name, min(patience, _OPENING))
    else:
        opened, close = _open_journal(optuna, where), lambda: None
    return _patient(opened, close, name, patience)


def hidden_password(where: str) -> str:
    """Return a URL without its password, for messages; a path unchanged."""
    if "://" not in where:
        return where
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError as BadURL

    try:
        return make_url(where).render_as_string(hide_password=True)
    except (BadURL, ValueError):
        return f"{where.partition('://')[0]}://..."


def _open_database(optuna: ModuleType, url: str) -> tuple[Any, Callable[[], None]]:
    from sqlalchemy.exc import ArgumentError as BadURL
    from sqlalchemy.exc import NoSuchModuleError

    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):  # SQLAlchemy's default is an older driver
            url = "postgresql+psycopg://" + url.removeprefix(scheme)
    try:
        storage = optuna.storages.RDBStorage(url, {"pool_pre_ping": True})
    except (BadURL, NoSuchModuleError, ValueError) as error:
        raise ArgumentError(
            f"storage {hidden_password(url)}: {error}; expected a path, or a URL such "
            f"as postgresql://user@host/database"
        ) from None
    except ImportError:
        hint = '; pip install "psycopg[binary]"' if "psycopg" in url else ""
        raise FastdlError(
            f"storage {hidden_password(url)}: the package of this database is "
            f"missing{hint}"
        ) from None
    # With the cache of finished trials.
    return optuna.storages.get_storage(storage), storage.engine.dispose


# Journal ------------------------------------------------------------------------------


def _open_journal(optuna: ModuleType, path: str) -> Any:
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    path = os.path.abspath(path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = None if fcntl is None else _JournalLock(path)
    with reading(path, "as a journal of Optuna"):
        if lock is not None and os.path.exists(path):
            lock.acquire()
            lock.release()
            # Optuna would notice a damaged last line only with the next one.
            for line in read_file(path).splitlines()[-1:]:
                parse_json(line, path)
        return JournalStorage(JournalFileBackend(path, cast(Any, lock)))


class _JournalLock:
    """Lets one process write at a time; the system releases it if that dies.

    Optuna's own lock is a link, which a killed writer leaves behind, so that the others
    wait for half a minute.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def acquire(self) -> bool:
        self._file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._mend()
        return True

    def release(self) -> None:
        os.close(self._file)

    def _mend(self) -> None:
        """Cut off a last line that a crash or a full disk left incomplete.

        It was never acknowledged, and would corrupt the next one.
        """
        with open(self._path, "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            if file.read() in (b"", b"\n"):
                return
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


# Patience -----------------------------------------------------------------------------


def _patient(
    storage: Any, close: Callable[[], None], name: str, patience: float
) -> BaseStorage:
    """Return a storage that calls another one, again if that is down."""
    from optuna.storages import BaseStorage

    def method(attribute: str) -> Callable[..., object]:
        def call(self: object, *args: object, **kwargs: object) -> object:
            ask = partial(getattr(storage, attribute), *args, **kwargs)
            return _persist(ask, name, patience)

        return call

    methods = {
        attribute: method(attribute)
        for attribute, value in vars(BaseStorage).items()
        if callable(value) and not attribute.startswith("_")
    }
    methods["remove_session"] = lambda self: close()
    return type("PatientStorage", (BaseStorage,), methods)()


def _persist(ask: Callable[[], Answer], name: str, patience: float) -> Answer:
    """Call until the storage answers.

    A call that succeeded but whose answer was lost is made twice, which callers must
    tolerate.
    """
    end = time.monotonic() + patience
    wait = _FIRST_WAIT
    while True:
        try:
            return ask()
        except Exception as error:
            reason = _why_down(error)
            if reason is None:
                raise
            if time.monotonic() + wait > end:
                raise StorageDown(
                    f"the storage {name} does not answer: {reason}; what is finished "
                    f"is kept there"
                ) from None
            print(
                f"the storage {name} does not answer ({reason}); trying again in "
                f"{wait:.1f} s",
                file=sys.stderr,
            )
        time.sleep(wait * _JITTER.uniform(0.8, 1.0))  # spreads the retries
        wait = min(2 * wait, _LONGEST_WAIT)


def _why_down(error: Exception) -> str | None:
    """Return why a storage did not answer; None if it is another error."""
    if isinstance(error, OSError):
        return str(error)
    from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError

    for cause in (error, error.__cause__):
        if isinstance(cause, InterfaceError | OperationalError | PendingRollbackError):
            origin = getattr(cause, "orig", None) or cause
            return " ".join(str(origin).split())
    return None
