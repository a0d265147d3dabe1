"""``fastdl report``, and the report at the end of ``fastdl train``."""

import json
import re
import shutil
import sys

import pytest

from fastdl.cli import main
from fastdl.train import open_run


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """The folder of a run of one epoch; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = ["train", "digits", "--epochs", "1", "--no-report", "--out", str(path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)  # its pictures take two seconds
        assert main(argv) == 0
    return path


@pytest.fixture
def own_run(digits_run, tmp_path):
    """A copy that may be changed."""
    return shutil.copytree(digits_run, tmp_path / "own")


def test_training_ends_with_the_diagnosis_and_the_page(fastdl_command, tmp_path):
    """S25"""
    run = tmp_path / "run"
    code, out, _ = fastdl_command("train", "digits", "--epochs", "1", "--out", run)
    assert code == 0
    *_, diagnosis, report = out.splitlines()
    errors = r"human 0 %, train [\d.]+ %, dev [\d.]+ %, test [\d.]+ %"
    assert re.match(rf"diagnosis: {errors}: ", diagnosis)
    assert report == f"report: {run / 'report.html'}"
    text = (run / "report.html").read_text(encoding="utf-8")
    assert diagnosis.removeprefix("diagnosis: ") in text
    accuracy = re.search(r"^test accuracy ([\d.]+%)", out, re.M)[1]
    assert accuracy in text


def test_training_without_a_report(digits_run):
    assert (digits_run / "model.safetensors").is_file()
    assert not (digits_run / "report.html").exists()
    assert not (digits_run / "measures.json").exists()


def test_one_run(fastdl_command, own_run):
    code, out, _ = fastdl_command("report", own_run)
    assert code == 0
    assert out.splitlines()[-1] == f"report: {own_run / 'report.html'}"
    assert "own: fastdl report" in (own_run / "report.html").read_text()
    assert open_run(own_run).folder.measures.is_file()


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(fastdl_command, own_run):
    (own_run / "tags.json").write_text("[]")
    code, _, err = fastdl_command("report", own_run)
    assert code == 0
    assert re.fullmatch(r"fastdl: warning: .*tags\.json is damaged, .*\n", err)


def test_several_runs(fastdl_command, own_run, digits_run, tmp_path, monkeypatch):
    """Into the folder where the command is given: the runs have one each."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = fastdl_command("report", own_run, digits_run)
    assert code == 0
    first, second, last = out.splitlines()
    assert first.startswith("own: human")
    assert second.startswith("digits: human")
    assert last == "report: report.html"
    text = (tmp_path / "report.html").read_text()
    assert "2 runs compared" in text


def test_part_and_human_error(fastdl_command, own_run, tmp_path):
    page = tmp_path / "deep" / "page.html"
    options = ("--out", page, "--part", "dev", "--human", "0.1")
    code, out, _ = fastdl_command("report", own_run, *options)
    assert code == 0
    assert out.startswith("diagnosis: human 10 %")
    assert "dev examples are right" in page.read_text()


def test_data_that_are_elsewhere(fastdl_command, own_run):
    """The page is written; it and the command say what is missing."""
    config = json.loads((own_run / "config.json").read_text())
    config["dataset"] = "/nowhere/pictures"
    (own_run / "config.json").write_text(json.dumps(config))
    code, out, _ = fastdl_command("report", own_run)
    assert code == 0
    assert out.startswith("diagnosis: not known, the data of the run")
    code, _, err = fastdl_command("diagnose", own_run)
    assert code == 2
    assert (
        "'/nowhere/pictures' is neither a data set nor a folder of pictures; if" in err
    )
    assert f'change "dataset" in {own_run / "config.json"}' in err
    assert "not to be had here" in (own_run / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "required: RUN"),
        (["nowhere"], "there is no run folder nowhere"),
        (["RUN", "--part", "tset"], "invalid choice: 'tset'"),
        (["RUN", "--human", "1.5"], "from 0 to below 1"),
        (["RUN", "--out", "RUN"], "Is a directory"),
    ],
)
def test_errors_in_one_line(fastdl_command, digits_run, options, reason):
    words = [digits_run if word == "RUN" else word for word in options]
    code, out, err = fastdl_command("report", *words)
    assert (code, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1
