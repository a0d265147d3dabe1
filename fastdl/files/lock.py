"""One process at a time.

The system holds the lock for the process, so it ends with it, however that ends.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastdl.errors import DataError
from fastdl.typing import StrPath

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PAUSE = 0.01  # seconds between attempts
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
_FAR = 1 << 30  # what is locked there keeps nobody from reading the number
# What file systems say that have no locks, as some of the network do.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(path: StrPath, busy: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock, which only one process can have, while the block runs.

    The lock file holds the number of the process, and is removed at the end. On a file
    system without locks nobody is kept out.

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
    deadline = time.monotonic() + wait
    while (descriptor := _take(path, busy, time.monotonic() < deadline)) is None:
        time.sleep(_PAUSE)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        # Before releasing it: the next holder calls _is_file. The file may have been
        # removed along with its folder, and Windows keeps one that is open.
        with suppress(FileNotFoundError, PermissionError):
            os.unlink(path)
        os.close(descriptor)


def _take(path: StrPath, busy: str, patient: bool) -> int | None:
    """Return the open, locked file; None if it is taken and the caller is patient."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "no regular file", os.fspath(path))
            _lock(descriptor)
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


def _lock(descriptor: int) -> None:
    """Lock an open file; BlockingIOError if somebody else has locked it."""
    if sys.platform == "win32":
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from None
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _is_file(descriptor: int, path: StrPath) -> bool:
    """Whether an open file is still the one at that path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
