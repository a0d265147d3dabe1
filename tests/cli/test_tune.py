"""``fastdl tune``: a search from the command line (S34)."""

import csv
import json

import pytest

from fastdl import report
from fastdl.cli import main
from fastdl.errors import DataError

pytest.importorskip("optuna")
SPACE = """
lr = {log = [1e-4, 1.0]}
momentum = {one_minus_log = [0.5, 0.99]}
optimizer = "sgd"
"""
QUICK = ("--model", "logistic", "--epochs", 2, "--examples", 300)


@pytest.fixture
def tune(tmp_path, monkeypatch, capsys):
    """Run `fastdl tune digits` in a folder with space.toml; return what it printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.toml").write_text(SPACE)

    def run(*argv, dataset="digits"):
        argv = ("tune", dataset, *QUICK, "--space", "space.toml", *argv)
        return main([str(argument) for argument in argv]), *capsys.readouterr()

    return run


def test_s34_a_search_keeps_its_best_settings(tune, tmp_path, capsys):
    """Also: `fastdl train --config best.json` repeats the best trial to the bit."""
    code, out, err = tune("--trials", 12)
    assert (code, err) == (0, "")
    folder = tmp_path / "runs" / "tune-digits"
    assert {file.name for file in folder.iterdir()} >= {
        *("study.journal", "trials.csv", "best.json"),
        *("history.png", "slices.png", "parallel.png"),
    }
    assert "300 training examples; 382 of the dev set decide" in out
    assert "lr: Log(0.0001, 1.0)" in out
    assert "(a standard error)" in out
    with open(folder / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    best = max((row for row in rows if row["score"]), key=lambda r: float(r["score"]))
    config = json.loads((folder / "best.json").read_text())
    assert config["lr"] == float(best["lr"])
    assert (config["dataset"], config["model"], config["epochs"]) == (
        *("digits", "logistic"),
        2,
    )
    assert out.splitlines()[7].split()[:2] == [
        best["trial"],
        f"{float(best['score']):.4g}",
    ]
    argv = ["train", "--config", str(folder / "best.json"), "--out", "again"]
    assert main(argv) == 0
    with open("again/metrics.csv", newline="") as file:
        measured = [row["val_accuracy"] for row in csv.DictReader(file)]
    assert measured[-1] == best["score"]
    assert "runs/tune-digits/best.json --out runs/tune-digits-best" in out
    capsys.readouterr()


def test_a_picture_that_cannot_be_drawn_is_left_out(tune, tmp_path, monkeypatch):
    def refuse(result):
        raise DataError("too few trials")

    monkeypatch.setattr(report, "search_slices", refuse)
    code, out, _ = tune("--trials", 3)
    assert code == 0
    assert "history.png, parallel.png" in out


def test_a_study_is_not_overwritten_and_goes_on(tune):
    assert tune("--trials", 3)[0] == 0
    code, out, err = tune("--trials", 3)
    assert code == 2
    assert "there is a study 'search' already; go on with it (--resume" in err
    code, out, _ = tune("--trials", 5, "--resume")
    assert code == 0
    assert "complete: 5, stopped early: 0, failed: 0" in out
    code, _, err = tune("--trials", 5, "--resume", "--seed", 1)
    assert code == 2
    assert "was made with other objective and seed" in err


def test_two_jobs_find_what_one_finds(tune, tmp_path):
    tables = []
    for jobs in (1, 2):
        arguments = ("--trials", 4, "--jobs", jobs, "--pruner", "none", "--out", jobs)
        assert tune(*arguments)[0] == 0
        with open(tmp_path / str(jobs) / "trials.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        tables.append([(row["trial"], row["score"], row["lr"]) for row in rows])
    assert tables[0] == tables[1]


def test_the_usual_space(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = ["tune", "digits", *map(str, QUICK), "--trials", "2", "--method", "tpe"]
    assert main(argv) == 0
    out = capsys.readouterr().out
    for name in ("lr", "momentum", "batch_size", "label_smoothing"):
        assert f"  {name}: " in out


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("lr = {log = [1, 0.1]}", "lr: Log: low must be below high, got 1 and 0.1"),
        ("lr = {log = [0, 0.1]}", "the logarithm needs numbers above 0"),
        ("model = {choice = []}", "model: Choice: expected one option at least"),
        ("bach_size = 3", "'bach_size'; did you mean 'batch_size'?"),
        ("lr = {lug = [1, 2]}", "unknown scale 'lug'; did you mean 'log'?"),
        ("lr = ", "space.toml is no TOML"),
        ("momentum = {linear = [0, 1.5]}", "momentum must be a number from 0 to below"),
    ],
)
def test_wrong_spaces(tune, tmp_path, space, message):
    (tmp_path / "space.toml").write_text(space)
    code, _, err = tune("--trials", 2)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--method", "gird"), "did you mean 'grid'"),
        (("--pruner", "medium"), "did you mean 'median'"),
        (("--monitor", "accuracy"), "the dev set decides"),
        (("--trials", "0"), "expected an integer from 1"),
        (("--space", "nosuch.toml"), "no file nosuch.toml"),
        (("--resume",), "there is no study 'search' to go on with"),
    ],
)
def test_wrong_options(tune, argv, message):
    code, _, err = tune(*argv)
    assert code == 2
    assert message in err


def test_a_folder_that_is_none(tune):
    code, _, err = tune(dataset="dgits")
    assert code == 2
    assert "did you mean 'digits'" in err


def test_trials_that_fail_are_told(tune, tmp_path):
    space = SPACE + "dropout = 0.5\n"
    (tmp_path / "space.toml").write_text(space)
    code, _, err = tune("--trials", 5)
    assert code == 2
    assert "no trial succeeded; the first: ArgumentError: the model" in err


def test_help_shows_panda_beside_caviar(capsys):
    """S34: one model babysat, and many in parallel."""
    with pytest.raises(SystemExit):
        main(["tune", "--help"])
    text = capsys.readouterr().out
    for word in ("caviar", "panda", "control.json", "--jobs", "--resume", "examples:"):
        assert word in text
