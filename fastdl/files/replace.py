"""Files are replaced as a whole: a crash at any moment leaves the old or the new one.

A file is written under another name in the same folder, flushed to disk, and renamed. A
process that is killed leaves such a file behind; the next write to the folder removes
it. The writer holds a lock on it, which ends with the process and so shows whether the
writer is still alive. A process number would not: it may have been reused, or belong to
another machine that shares the folder.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fastdl.files.path import as_path
from fastdl.typing import StrPath

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and nothing is cleaned up
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = ".fastdl-", ".tmp"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def replaced(path: StrPath, keep: bool = False) -> Iterator[BinaryIO]:
    """Open a new file that becomes `path` when the block ends without an error.

    After an error `path` is unchanged. A symbolic link stays; the file it points to is
    replaced. The file keeps its permissions; a new one gets those of the umask. Missing
    folders are created.

    Parameters
    ----------
    path : path
        A regular file, or one that does not exist yet.
    keep : bool
        Whether to keep the old content, as the file `previous`.

    Yields
    ------
    binary file
        Empty, open for writing and reading.

    Raises
    ------
    ArgumentError
        `path` is no path.
    OSError
        `path` cannot be written: it is a folder, pipe, socket or device, it or its
        folder is protected, the disk is full, ... The error names `path`.
    """
    target = os.path.realpath(as_path(path))
    with _naming(path):
        permissions = _permissions(target)
        temporary, descriptor = _create(os.path.dirname(target), permissions)
    try:
        with io.BufferedRandom(_Raw(descriptor, path)) as file:
            yield file
            file.flush()
            with _naming(path):
                if permissions is not None:
                    os.chmod(temporary, permissions)  # undo what the umask took away
                os.fsync(descriptor)
                if fcntl is None:  # Windows cannot rename an open file
                    file.close()
                if keep:
                    _keep(target)
                _rename(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def previous(path: StrPath) -> Path:
    """Return where `replaced` keeps the old content of a file, if asked to."""
    root, suffix = os.path.splitext(os.path.realpath(as_path(path)))
    return Path(f"{root}.previous{suffix}")


def write_text(path: StrPath, text: str) -> None:
    """Replace a file's content with a text, in UTF-8; raises like `replaced`."""
    with replaced(path) as file:
        file.write(text.encode())


def check_writable(path: StrPath) -> None:
    """Raise OSError now if `replaced` would; missing folders are created."""
    target = os.path.realpath(as_path(path))
    with _naming(path):
        temporary, descriptor = _create(os.path.dirname(target), _permissions(target))
        os.close(descriptor)
        with suppress(FileNotFoundError):  # another process took it for abandoned
            os.unlink(temporary)


def new_file(path: StrPath) -> BinaryIO:
    """Open a file that does not exist yet; errors while writing it name `path`."""
    with _naming(path):
        descriptor = os.open(path, _NEW, 0o666)
    return io.BufferedRandom(_Raw(descriptor, path))


def keep_aside(path: StrPath) -> str:
    """Rename a damaged file to an unused name, and return that.

    It is the old name followed by ``.damaged-1`` (or 2, ...).
    """
    number = 1
    while True:
        kept = f"{os.fspath(path)}.damaged-{number}"
        try:
            new_file(kept).close()  # so that no other process can take the name
        except FileExistsError:
            number += 1
        else:
            os.replace(path, kept)
            return kept


class _Raw(io.FileIO):
    """An unbuffered file whose errors name the path that the user knows."""

    def __init__(self, descriptor: int, path: StrPath) -> None:
        super().__init__(descriptor, "r+")
        self._path = path

    def write(self, data: ReadableBuffer) -> int:
        with _naming(self._path):
            return super().write(data)


@contextmanager
def _naming(path: StrPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        del error.filename2  # set by a rename
        raise


def _permissions(target: str) -> int | None:
    """Return the permissions of a file that may be replaced; None if it does not exist.

    Renaming needs permission for the folder alone: it would replace what the user has
    write-protected, and turn a device into a file.
    """
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    if not stat.S_ISREG(mode):
        raise OSError(
            errno.EINVAL, "no regular file but a pipe, socket or device", target
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    return mode & 0o777


def _temporary(folder: str) -> str:
    """Return the path of a file that does not exist yet."""
    return os.path.join(folder, f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}")


def _create(folder: str, permissions: int | None) -> tuple[str, int]:
    """Return the path and the descriptor of a new, locked file."""
    os.makedirs(folder, exist_ok=True)
    _remove_abandoned(folder)
    while True:
        path = _temporary(folder)
        descriptor = os.open(path, _NEW, 0o666 if permissions is None else permissions)
        if fcntl is not None:
            with suppress(OSError):  # no locks on this file system: never cleaned up
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(path):
            return path, descriptor
        os.close(descriptor)  # taken for abandoned before it was locked


def _keep(target: str) -> None:
    """Give a file its second name, before the first one is taken from it.

    So `target` is there at every moment, except on file systems without links.
    """
    second = _temporary(os.path.dirname(target))
    try:
        os.link(target, second)
    except FileNotFoundError:  # nothing to keep
        return
    except OSError:
        with suppress(FileNotFoundError):
            os.replace(target, previous(target))
        return
    try:
        os.replace(second, previous(target))
    finally:  # nothing is renamed if both are the same file
        with suppress(FileNotFoundError):
            os.unlink(second)


def _rename(temporary: str, target: str) -> None:
    os.replace(temporary, target)
    with suppress(PermissionError):  # the folder may be writable but not readable
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name must reach the disk too
        finally:
            os.close(folder)


def _remove_abandoned(folder: str) -> None:
    """Remove the temporary files whose writers are dead."""
    if fcntl is None:
        return
    with suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
                with suppress(OSError):  # in use, another user's, or just renamed
                    descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(entry.path)
                    finally:
                        os.close(descriptor)
