"""Bars are shown on a terminal and in a notebook, and nowhere else."""

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fastdl
from fastdl import nn, strategy, train
from fastdl.progress import is_watched, progress_bar

DATA = np.eye(4, dtype=np.float32), np.arange(4)


class ZMQInteractiveShell:
    """The shell of a notebook, by the name that IPython's has."""


class Shell(ZMQInteractiveShell):
    """That of a service with a shell of its own."""


class TerminalInteractiveShell:
    """IPython on a terminal, whose output may go into a file."""


@pytest.fixture
def shell(monkeypatch):
    """Return a function that makes Python believe that it runs in this shell."""

    def run_in(instance):
        ipython = SimpleNamespace(get_ipython=lambda: instance)
        monkeypatch.setitem(sys.modules, "IPython", ipython)

    return run_in


class Terminal(io.StringIO):
    def isatty(self):
        return True


def trained(**options):
    one = train.Trainer(nn.Linear(4, 4))
    one.fit(DATA, epochs=2, batch_size=1, **options)
    return one


@pytest.mark.parametrize(
    ("instance", "watched"),
    [
        (ZMQInteractiveShell(), True),
        (Shell(), True),
        (TerminalInteractiveShell(), False),
        (None, False),
    ],
    ids=["notebook", "service", "terminal", "no shell"],
)
def test_progress_in_a_notebook(instance, watched, shell, capsys):
    """Its stream is no terminal."""
    shell(instance)
    assert is_watched() is watched
    trained()
    err = capsys.readouterr().err
    if not watched:
        assert err == ""
        return
    assert re.search(r"epoch 1/2: .* batches", err)  # the bar
    assert re.search(r"^.*epoch 2/2  loss \d", err, re.M)  # the line


def test_quiet_in_a_notebook_when_asked(shell, capsys):
    shell(ZMQInteractiveShell())
    trained(progress=False)
    assert capsys.readouterr().err == ""


def test_everywhere_else_too(shell, capsys):
    """Such as measures, which take a while as well."""
    shell(ZMQInteractiveShell())
    strategy.measure(trained(progress=False), train=DATA, dev=DATA)
    assert "measuring" in capsys.readouterr().err


def test_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert is_watched()
    for _ in progress_bar(range(3), "counting"):
        pass
    assert "counting" in sys.stderr.getvalue()


def test_a_bar_stays_unless_it_is_told_to_go(monkeypatch):
    for options, end in (({}, "\n"), ({"leave": False}, "\r")):
        monkeypatch.setattr(sys, "stderr", Terminal())
        for _ in progress_bar(range(3), **options):
            pass
        assert sys.stderr.getvalue().endswith(end)


def test_no_stream_at_all(monkeypatch):
    """As for a program without a console on Windows."""
    monkeypatch.setattr(sys, "stderr", None)
    assert not is_watched()


def test_one_function_decides():
    root = Path(fastdl.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\bisatty\(|[^.]\btqdm\(|disable=", path.read_text("utf-8"))
    }
    assert users == {"progress.py"}
