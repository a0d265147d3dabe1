"""What users' type checkers see of fastdl."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastdl

HERE = Path(__file__).parent
SCRIPTS = ("user_script.py", "star_import.py", "mistakes.py")


@pytest.fixture
def errors(pytestconfig, tmp_path):
    """Return {script: {line with an error: message}} by ``mypy --strict``."""
    pytest.importorskip("mypy")
    cache = getattr(pytestconfig, "cache", None)  # None: switched off
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file="),
            f"--cache-dir={cache.mkdir('mypy') if cache else tmp_path}",
            *(HERE / name for name in SCRIPTS),
        ],
        # Not in the source tree, whose modules would be checked too: an installed
        # package counts only with its mark, py.typed.
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(fastdl.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    found = {name: {} for name in SCRIPTS}
    for name, line, message in re.findall(r"(\w+\.py):(\d+): error: (.*)", done.stdout):
        found[name].setdefault(int(line), message)
    return found


def test_the_script_runs(tmp_path):
    pytest.importorskip("typing_extensions")  # comes with mypy
    script = HERE / "user_script.py"
    env = os.environ | {"PYTHONPATH": str(Path(fastdl.__file__).parents[1])}
    subprocess.run([sys.executable, script], cwd=tmp_path, env=env, check=True)


def test_scripts_are_typed_and_mistakes_found(errors):
    """Under --strict; values are tensors and arrays, never Any.

    One test, so that mypy runs in one process.
    """
    assert errors["star_import.py"] == {}
    if np.__version__ >= "2":  # NumPy 1's stubs want type arguments of ndarray
        assert errors["user_script.py"] == {}
    lines = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    first = lines.index("model = nn.Linear(2, 3, biass=True)")
    assert sorted(errors["mistakes.py"]) == list(range(first + 1, len(lines) + 1))
