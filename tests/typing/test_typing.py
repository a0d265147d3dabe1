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


@pytest.fixture(scope="module")
def errors(pytestconfig, tmp_path_factory):
    """Return {script: {line with an error: message}} by ``mypy --strict``."""
    pytest.importorskip("mypy")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    cache = getattr(pytestconfig, "cache", None)  # None: switched off
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file="),
            f"--cache-dir={cache.mkdir('mypy') if cache else elsewhere}",
            *(HERE / name for name in SCRIPTS),
        ],
        # Not in the source tree, whose modules would be checked too: an installed
        # package counts only with its mark, py.typed.
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(Path(fastdl.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    found = {name: {} for name in SCRIPTS}
    for name, line, message in re.findall(r"(\w+\.py):(\d+): error: (.*)", done.stdout):
        found[name].setdefault(int(line), message)
    return found


@pytest.mark.skipif(
    np.__version__ < "2", reason="NumPy 1's stubs want type arguments of ndarray"
)
def test_a_users_script_is_typed(errors):
    """Under --strict; its values are tensors and arrays, never Any."""
    assert errors["user_script.py"] == {}


def test_a_star_import_is_typed(errors):
    assert errors["star_import.py"] == {}


def test_the_script_runs(tmp_path):
    pytest.importorskip("typing_extensions")  # comes with mypy
    script = HERE / "user_script.py"
    env = os.environ | {"PYTHONPATH": str(Path(fastdl.__file__).parents[1])}
    subprocess.run([sys.executable, script], cwd=tmp_path, env=env, check=True)


def test_mistakes_are_found(errors):
    lines = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    first = lines.index("model = nn.Linear(2, 3, biass=True)")
    assert sorted(errors["mistakes.py"]) == list(range(first + 1, len(lines) + 1))
