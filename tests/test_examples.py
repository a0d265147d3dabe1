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


def test_initialisation(run, tmp_path):
    """S08: He keeps the scale flat over 50 layers; others explode or vanish."""
    path = tmp_path / "initialisation.png"
    results, printed = run("initialisation", width=64, epochs=8, path=str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(printed.splitlines()) == 1 + len(results) + 2
    for name, low, high in [
        ("std 0.01", 0, 1e-50),
        ("Xavier, 1 / n_in", 1e-10, 1e-5),
        ("He, 2 / n_in", 0.1, 10),
        ("1.5 times He", 1e7, 1e11),
    ]:
        activations, gradients, _ = results[name]
        assert low < activations[-1] / activations[0] < high, name
        assert low < gradients[0] / gradients[-1] < high, name
    losses = {name: results[name][2][-1] for name in results}
    assert losses["He, 2 / n_in"] < 0.8 < losses["Xavier, 1 / n_in"]
    assert losses["std 0.01"] == pytest.approx(np.log(3), abs=0.01)  # learned nothing


def test_regularisation(run, tmp_path):
    """S19, S21: L2 and dropout raise the dev accuracy."""
    path = tmp_path / "regularisation.png"
    accuracies, printed = run("regularisation", epochs=400, path=str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    plain, *others = accuracies.values()
    for name, (train, dev) in list(accuracies.items())[1:]:
        assert train < plain[0], name
        assert dev > plain[1] + 0.02, name
    assert len(others) == 2
    assert "no regularisation" in printed
