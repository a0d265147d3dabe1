"""What was measured of a finished run, kept in its folder (S25)."""

import json

import numpy as np
import pytest

from fastdl import nn, strategy
from fastdl.cli import main
from fastdl.strategy import runs
from fastdl.train import RunFolder, open_run


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    made.write_config({"dataset": "digits"})
    made.save_model(nn.Linear(2, 3))
    return made


def test_measures_are_kept_by_name(folder):
    assert runs.kept(folder, "errors") is None
    runs.keep(folder, "errors", {"dev": 0.1})
    runs.keep(folder, "speed", {"ms": 3})
    runs.keep(folder, "errors", {"dev": 0.2})
    assert runs.kept(folder, "errors") == {"dev": 0.2}
    assert runs.kept(folder, "speed") == {"ms": 3}


def test_measures_of_another_model_are_not_its_own(folder):
    runs.keep(folder, "errors", {"dev": 0.1})
    folder.save_model(nn.Linear(3, 2))
    assert runs.kept(folder, "errors") is None


@pytest.mark.parametrize("text", ["", "[]", '{"errors": 3}', '{"errors": {}}', "{"])
def test_a_damaged_file_holds_none(folder, text):
    folder.measures.write_text(text)
    assert runs.kept(folder, "errors") is None
    runs.keep(folder, "errors", {"dev": 0.1})
    assert json.loads(folder.measures.read_text())["errors"]["content"] == {"dev": 0.1}


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory, without_pictures):
    """The folder of a run of 200 examples; what it keeps is deleted by each test."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = ["train", "digits", "--model", "mlp", "--epochs", "4", "--examples", "200"]
    assert main([*argv, "--lr", "0.01", "--out", str(path)]) == 0
    return path


@pytest.fixture
def run(digits_run):
    (digits_run / "measures.json").unlink(missing_ok=True)
    return open_run(digits_run)


def test_errors_of_a_run_are_kept(run):
    """S25"""
    measured = strategy.measure_run(run)
    assert measured.examples == {"train": 200, "dev": 382, "test": 1797}
    for name, part in zip(
        ("train", "dev", "test"),
        (run.parts.train, run.parts.dev, run.parts.test),
        strict=True,
    ):
        accuracy = run.trainer.evaluate(part)["accuracy"]
        assert measured.errors[name] == pytest.approx(1 - accuracy)
    again = open_run(run.folder.path)
    again.__dict__["parts"] = None  # they are not asked for
    assert strategy.measure_run(again) == measured


def test_measured_again_when_asked(run):
    measured = strategy.measure_run(run)
    kept = {"errors": {"train": 0.5, "dev": 0.5}, "examples": {}, "symptoms": []}
    runs.keep(run.folder, "errors", kept)
    assert strategy.measure_run(run).errors == kept["errors"]
    assert strategy.measure_run(run, again=True) == measured
    assert strategy.measure_run(run) == measured


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"errors": {}},
        {"symptoms": [[1, 2, 3]]},
        {"errors": {"trayn": 0.1}, "examples": {"train": 9}, "symptoms": []},
        {"errors": {"train": 2, "dev": 0}, "examples": {}, "symptoms": []},
    ],
)
def test_what_another_version_kept_is_measured_again(run, content):
    runs.keep(run.folder, "errors", content)
    assert strategy.measure_run(run).examples["train"] == 200


def test_a_folder_that_cannot_be_written(run):
    run.folder.measures.mkdir()
    try:
        assert strategy.measure_run(run).examples["train"] == 200
    finally:
        run.folder.measures.rmdir()


def test_data_curve_of_a_run(run):
    """S25: the same settings, so the same result at the full size."""
    curve = strategy.learning_curve_run(run)
    assert curve.sizes.tolist() == [6, 12, 25, 50, 100, 200]
    errors = strategy.measure_run(run).errors
    assert (curve.train[-1], curve.dev[-1]) == (errors["train"], errors["dev"])
    assert curve.dev[0] > curve.dev[-1]
    again = open_run(run.folder.path)
    again.__dict__["parts"] = None  # kept: nothing is trained
    kept = strategy.learning_curve_run(again)
    np.testing.assert_array_equal(kept.dev, curve.dev)
    assert kept.expected(400) == curve.expected(400)
    runs.keep(run.folder, "data_curve", {"sizes": [3, 2, 1]})
    options = {"sizes": [50, 100, 200]}
    assert len(strategy.learning_curve_run(run, **options).sizes) == 3
