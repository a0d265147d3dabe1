"""A copy of the source tree that is changed, and tests that run there."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

from tests.mutants.changes import Change

LEFT_OUT = {".git", "runs", "dist", ".hypothesis", ".venv", "_build"}
# For a change that makes a test wait for ever, beyond what the tests take themselves.
CPU_SECONDS, WALL_SECONDS = 60, 240


class Workplace:
    """A copy of the tree, with one change at a time.

    What is run there is forked from this process, which has imported what all tests
    import, but nothing of fastdl.
    """

    def __init__(self, root: Path, place: Path) -> None:
        self.root, self.place = root, place
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(root, place, ignore=_left_out)
        shutil.copytree(place / "csrc", place / "build/csrc")  # as it was
        self._before: tuple[str, str] | None = None  # the change: a file and its text
        self._stamp = time.time()

    def change(self, change: Change) -> str:
        """Put a change into the copy, in place of the one before; return the diff."""
        self.restore()
        text = (self.place / change.path).read_text(encoding="utf-8")
        self._write(change.path, change.apply(text))
        self._before = change.path, text
        return change.diff(text)

    def restore(self) -> None:
        """Take the change back."""
        if self._before is not None:
            self._write(*self._before)
            self._before = None

    def _write(self, path: str, text: str) -> None:
        """Write a file with a time of its own, so that no compiled form is taken."""
        (self.place / path).write_text(text, encoding="utf-8")
        self._stamp += 2
        os.utime(self.place / path, (self._stamp, self._stamp))

    def start(self, arguments: list[str], seconds: float, **environment: str) -> int:
        """Run pytest in a process of its own; return the number of the process."""
        child = os.fork()
        if child:
            return child
        code = 99
        try:
            os.setsid()
            log = os.open(
                self.place / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            )
            for stream in (1, 2):
                os.dup2(log, stream)
            os.chdir(self.place)
            os.environ |= {"PYTHONPATH": str(self.place), **environment}
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            sys.dont_write_bytecode = True
            for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
                del sys.modules[name]
            sys.path[:] = [
                str(self.place),
                *(p for p in sys.path if p != str(self.root)),
            ]
            limit = int(seconds) + CPU_SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            code = _pytest(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def build(self, path: str) -> subprocess.CompletedProcess:
        """Build what a file is part of: see `tests.mutants.build`."""
        return subprocess.run(
            [sys.executable, "-m", "tests.mutants.build", path],
            cwd=self.place,
            env={**os.environ, "PYTHONPATH": str(self.place)},
            capture_output=True,
            text=True,
            check=False,
        )


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Return what is not copied: of builds all but the objects of the kernels."""
    if Path(folder).name == "build":
        return {name for name in names if not name.startswith("temp.")}
    return LEFT_OUT.intersection(names)


def _pytest(arguments: list[str]) -> int:
    import pytest

    options = ["-x", "-q", "--tb=line", "-m", "not soak", "-p", "no:cacheprovider"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of `warm_up`
    return int(pytest.main([*options, *arguments]))


def wait(child: int, seconds: float) -> str:
    """Wait for a process of `start`: "found", "survived" or "timeout"."""
    end = time.monotonic() + WALL_SECONDS + 2 * seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            _kill(child)
            os.waitpid(child, 0)
            return "timeout"
        time.sleep(0.05)
    _kill(child)  # what the tests left behind
    if os.WIFSIGNALED(status):
        return "crashed"
    return "survived" if os.WEXITSTATUS(status) == 0 else "found"


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, 9)


def warm_up() -> None:
    """Import what all tests import; nothing that starts threads."""
    import hypothesis.extra.numpy  # noqa: F401
    import numpy.testing  # noqa: F401
    import pytest  # noqa: F401
