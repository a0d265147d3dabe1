"""Whether a file can be written, to be known before a long training."""

from __future__ import annotations

import errno
import os
import stat
import tempfile


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise OSError, with the path, when a file cannot be written or replaced there.

    Missing folders are made; the file itself is left as it is. What happens later, a
    full disk for one, is not foreseen.
    """
    target = os.path.realpath(path)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.exists(target):
            _check_replaceable(target)
        with tempfile.TemporaryFile(dir=os.path.dirname(target)):
            pass
    except OSError as error:
        error.filename = os.fspath(path)
        raise


def _check_replaceable(target: str) -> None:
    mode = os.stat(target).st_mode
    number = 0
    if stat.S_ISDIR(mode):
        number = errno.EISDIR
    elif not os.access(target, os.W_OK):
        number = errno.EACCES
    elif not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "no regular file but a pipe, socket or device")
    if number:
        raise OSError(number, os.strerror(number))
