"""One process at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastdl.errors import DataError
from fastdl.typing import StrPath

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_PAUSE = 0.01  # seconds between attempts


@contextmanager
def locked(path: StrPath, busy: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock, which only one process can have, while the block runs.

    The system releases it when the process ends, however it ends. The lock file holds
    the number of the process, and is removed at the end.

    Parameters
    ----------
    path : path
        The lock file; its folder is created if necessary.
    busy : str
        What the other process is doing, for the message.
    wait : float
        How many seconds to wait for the lock.

    Raises
    ------
    DataError
        Another process holds it.
    OSError
        The file cannot be written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    deadline = time.monotonic() + wait
    while (descriptor := _take(path, busy, time.monotonic() < deadline)) is None:
        time.sleep(_PAUSE)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        with suppress(FileNotFoundError):  # removed along with its folder
            os.unlink(path)  # before releasing it: the next holder calls _is_file
        os.close(descriptor)


def _take(path: StrPath, busy: str, patient: bool) -> int | None:
    """Return the open, locked file; None if it is taken and the caller is patient."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(descriptor, path):
                return descriptor
        except BlockingIOError:
            who = os.read(descriptor, 20).decode(errors="replace")
            os.close(descriptor)
            if patient:
                return None
            raise DataError(
                f"another process{f' ({who})' if who else ''} {busy}; wait for its "
                f"end, or stop it"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has just removed it


def _is_file(descriptor: int, path: StrPath) -> bool:
    """Whether an open file is still the one at that path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
