"""Every example runs, in a short form, and does what it says."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(capsys):
    """Run the main function of an example; return its result and what it printed."""

    def run_main(name, **options):
        main = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
        return main(**options), capsys.readouterr().out

    return run_main


def test_every_example_is_tested():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert {f"test_{name}" for name in names} <= set(globals())


def test_gradient_descent(run):
    """S05: 0.1 after one step, 4.99999999 after 1,000 more."""
    w, printed = run("gradient_descent")
    assert f"{w:.8f}" == "4.99999999"
    assert "w = 0.10000000" in printed


def test_edge_filter(run):
    """S38: an edge filter learned by backpropagation."""
    learned, printed = run("edge_filter", steps=100)
    np.testing.assert_allclose(learned, [[1, 0, -1]] * 3, atol=1e-3)
    assert "[ 0 30 30  0]" in printed


def test_own_loop(run):
    accuracy, printed = run("own_loop", epochs=1)
    assert 0.8 < accuracy <= 1
    assert len(printed.splitlines()) == 1


def test_train_digits(run, tmp_path):
    accuracy, printed = run("train_digits", epochs=1, folder=str(tmp_path))
    assert 0.8 < accuracy <= 1
    assert "21,482 parameters" in printed
    assert (tmp_path / "model.safetensors").is_file()
