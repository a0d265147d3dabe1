"""Five new users: what they wrote when they had read nothing but the README.

The scripts of four of them, as they came to work, run alone and end with what they
should have reached. They are kept as they were written: whoever changes a name or a
meaning that one of them relies on breaks the script of a user. The fifth is careless:
a table of wrong calls, and the words that a good message has.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
LONG = (  # a second or more
    *("strategy", "tune_compare", "search", "compare", "custom", "planar", "distill"),
    *("polars_arrow_sparse", "estimators", "sequential", "tasks_transfer"),
)
SCRIPTS = [
    pytest.param(
        path,
        id=f"{path.parent.name}/{path.stem}",
        marks=[pytest.mark.soak] * (path.stem in LONG),
    )
    for path in sorted(FOLDER.glob("*/*.py"))
]
OPTIONAL = ("pandas", "polars", "pyarrow", "sklearn", "matplotlib", "PIL", "onnx")


@pytest.fixture(scope="module")
def start():
    """Start a new process that has the slow packages already, where there is fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn").Process
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["matplotlib.pyplot", "pandas", "sklearn.pipeline"])
    return context.Process


def run_alone(script, folder):
    """Run a script in this process, as Python would."""
    os.chdir(folder)
    os.environ["MPLBACKEND"] = "agg"
    sys.argv, sys.path[0] = [str(script)], str(script.parent)
    sys.stdout = sys.stderr = open("output.txt", "w", encoding="utf-8")  # noqa: SIM115
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_of_a_new_user(script, tmp_path, start):
    text = script.read_text(encoding="utf-8")
    for package in OPTIONAL:
        if f"import {package}" in text or f"from {package}" in text:
            # An ImportError, too: pyarrow may ask for a newer NumPy.
            pytest.importorskip(package, exc_type=ImportError)
    process = start(target=run_alone, args=(script, tmp_path))
    process.start()
    process.join(timeout=300)
    process.kill()  # a script that hangs
    assert process.exitcode == 0, (tmp_path / "output.txt").read_text()[-3000:]


@pytest.fixture(scope="module")
def careless():
    spec = importlib.util.spec_from_file_location("careless", FOLDER / "careless.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.saved()
    return module


def test_careless_calls_are_told_what_to_do(careless, tmp_path, monkeypatch):
    """All but those that the table itself says are not."""
    monkeypatch.chdir(tmp_path)
    names = [name for name, _, _ in careless.CASES]
    assert len(names) == len(set(names))
    found = set(careless.main())
    assert found == careless.KNOWN
