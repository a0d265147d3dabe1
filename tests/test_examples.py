"""Every example runs, in a short form, and does what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import fastdl

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the main function of an example; return its result and what it printed."""
    monkeypatch.syspath_prepend(EXAMPLES)  # as Python does for a script

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


def test_optimisers(run, tmp_path):
    """S12, S13, S14, S18: all others leave a saddle and learn faster than plain GD."""
    results, printed = run("optimisers", epochs=15, folder=str(tmp_path))
    plain, *others = results.values()
    assert 300 < plain[0] < 400
    assert len(others) == 3
    for steps, loss in others:
        assert steps < plain[0] / 3
        assert loss < plain[1]
    assert f"{'Adam':16}  {results['Adam'][0]:25}" in printed
    for name in ("saddle", "moons", "losses"):
        path = tmp_path / f"optimisers_{name}.png"
        assert path.read_bytes().startswith(b"\x89PNG")


def test_minibatches(run, tmp_path):
    """S10: sizes between one example and all of them; the larger, the less noise."""
    path = tmp_path / "minibatches.png"
    results, printed = run("minibatches", part=0.2, path=str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(printed.splitlines()) == 1 + len(results) + 2
    assert [len(steps) for steps, _ in results.values()] == [3823, 8 * 60, 12 * 8, 12]
    noise = [np.std(np.diff(steps[:12])) for steps, _ in results.values()]
    assert noise == sorted(noise, reverse=True)
    whole_set, _ = results[3823]
    assert np.diff(whole_set).max() < 0, "batch gradient descent never goes up"


def test_batch_norm(run, tmp_path):
    """S17: with batch norm a learning rate ten times larger still learns."""
    path = tmp_path / "batch_norm.png"
    results, _ = run("batch_norm", epochs=4, path=str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    accuracies = {key: accuracy for key, (_, accuracy) in results.items()}
    assert accuracies["plain", 0.1] > 0.8
    assert accuracies["plain", 1.0] < 0.3
    assert accuracies["batch norm", 0.1] > 0.9
    assert accuracies["batch norm", 1.0] > 0.9


def test_augmentation(run, tmp_path):
    """S22: a tenth of the data, in a short form on digits."""
    path = tmp_path / "augmentation.png"
    accuracies, printed = run("augmentation", dataset="digits", seeds=1, path=str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "digits: a tenth of 3823 training pictures" in printed
    assert 0.8 < accuracies["as they are"] < accuracies["augmented"]


def test_pipeline(run, tmp_path):
    """S36: find, crop and read a digit in a scene; end to end beside it."""
    path = tmp_path / "pipeline.png"
    result, printed = run("pipeline", epochs=2, path=str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    find, crop, read = result.stages
    assert result.most == "find"
    assert find.alone > 1  # pixels, after two epochs
    assert 0.1 < result.score < 0.5 < find.perfect == read.alone < read.perfect == 1
    assert crop.gain is None
    assert result.score + find.gain + read.gain == pytest.approx(1)
    assert 0.05 < result.end_to_end < find.perfect
    assert "1,797 examples; a perfect 'find' would gain most" in printed


def test_gallery(run, tmp_path):
    """Every picture of the page is there, small, and can be made."""
    made, _ = run("gallery", names=["learning_rate", "augmentations"], folder=tmp_path)
    assert [path.name for path in made] == ["learning_rate.png", "augmentations.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)
    names = runpy.run_path(str(EXAMPLES / "gallery.py"))["NAMES"]
    docs = EXAMPLES.parent / "docs"
    shown = re.findall(r"\(gallery/(\w+)\.png\)", (docs / "gallery.md").read_text())
    assert sorted(shown) == sorted(names)
    if not (docs / "gallery").exists():
        return  # a source distribution has no pictures
    sizes = {path.stem: path.stat().st_size for path in docs.glob("gallery/*.png")}
    assert sorted(shown) == sorted(sizes)
    assert max(sizes.values()) < 60_000
    assert sum(sizes.values()) < 600_000


def test_transfer(tmp_path, monkeypatch, capsys):
    """S32: on digits of 8 x 8 pixels, which are too small to show the gain."""
    names = runpy.run_path(str(EXAMPLES / "transfer.py"))
    main, digits = names["main"], fastdl.datasets.load("digits")

    def part(whole, first):
        rows = np.flatnonzero((first <= whole.y) & (whole.y < first + 5))
        return fastdl.data.ArrayDataset(whole.x[rows], whole.y[rows] - first)

    task = names["Task"](
        "digits",
        part(digits.train, 0),
        part(digits.train, 5),
        part(digits.test, 5),
        examples=5,
        epochs=3,
        width=8,
    )
    monkeypatch.setitem(main.__globals__["TASKS"], "small", lambda: task)
    options = {"only": "small", "seeds": 2, "epochs": 15, "folder": str(tmp_path)}
    results = main(**options)["digits"]
    printed = capsys.readouterr().out
    assert (tmp_path / "transfer.png").read_bytes().startswith(b"\x89PNG")
    for name, values in results.items():
        assert len(values) == 2
        assert min(values) > 0.4, name  # a guess is right in 20 %
        assert f"{name:22}  {np.mean(values):6.1%}" in printed
    trained = (tmp_path / "small.safetensors").read_bytes()
    assert main(**options)["digits"] == results
    assert (tmp_path / "small.safetensors").read_bytes() == trained


def test_multitask(run):
    """S33: a shared trunk with three heads, 40 % of the labels missing."""
    accuracies, printed = run(
        "multitask", dataset="digits", examples=700, epochs=2, seeds=1
    )
    assert list(accuracies) == ["one network", "three networks"]
    for rows in accuracies.values():
        assert rows.shape == (1, 3)
        assert rows.min() > 0.6
    assert len(printed.splitlines()) == 3
