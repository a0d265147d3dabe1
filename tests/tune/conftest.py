"""Objectives that workers can import, and a PostgreSQL server of our own."""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

OBJECTIVES = '''
"""What the searches of the tests score."""

import os
import signal
import time


def parabola(trial):
    return -((trial["x"] - 0.3) ** 2)


def slow(trial):
    time.sleep(0.15)
    return parabola(trial)


def logged(trial):
    """Tell that it ran: a line in the file of the environment."""
    time.sleep(0.1)
    with open(os.environ["TRIALS_LOG"], "a") as file:
        file.write(f"{trial.number}\\n")
    return parabola(trial)


def deadly(trial):
    """Kill the worker, as a system does whose memory runs out."""
    if trial.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return parabola(trial)


def killed_once(trial):
    """Kill the worker in the middle of trial 1, the first time."""
    time.sleep(0.1)
    if trial.number == 1 and not os.path.exists(os.environ["KILLED"]):
        open(os.environ["KILLED"], "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return logged(trial)
'''


@pytest.fixture
def objectives(tmp_path, monkeypatch):
    """The module `objectives`, importable here and in workers."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "search_objectives.py").write_text(OBJECTIVES)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("TRIALS_LOG", str(tmp_path / "trials.log"))
    monkeypatch.setenv("KILLED", str(tmp_path / "killed"))
    yield importlib.import_module("search_objectives")
    del sys.modules["search_objectives"]  # the next test has a file of its own


class Postgres:
    """A server on a socket of its own, run by an ordinary user: it refuses root."""

    def __init__(self, folder, environment):
        self.folder, self._environment = folder, environment
        self.url = f"postgresql://fastdl@/postgres?host={folder}"
        self._as_user = {}
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            self._as_user = {"user": "nobody", "extra_groups": []}
        self._run("initdb", "-U", "fastdl", "-A", "trust", "--no-sync").communicate()
        self.start()

    def _run(self, program, *arguments):
        return subprocess.Popen(
            [program, "-D", f"{self.folder}/data", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=self._environment,
            **self._as_user,
        )

    def start(self):
        import psycopg

        self._server = self._run(
            "postgres", "-F", "-c", "listen_addresses=", "-k", self.folder
        )
        for _ in range(100):
            try:
                return psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                assert self._server.poll() is None, "the server did not start"
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def stop(self):
        self._server.send_signal(subprocess.signal.SIGQUIT)  # at once, as in a crash
        self._server.wait()


@pytest.fixture(scope="session")
def postgres(elsewhere):
    """A running server; `stop` and `start` it at will."""
    pytest.importorskip("psycopg", reason='get it by: pip install "psycopg[binary]"')
    if not (shutil.which("initdb") and shutil.which("postgres")):
        pytest.skip(
            "no PostgreSQL: apt install postgresql, and put initdb and postgres, "
            "/usr/lib/postgresql/*/bin, into PATH"
        )
    folder = tempfile.mkdtemp(prefix="fastdl-")  # pytest's own is closed to others
    server = Postgres(folder, elsewhere)
    yield server
    server.stop()
    shutil.rmtree(folder)
