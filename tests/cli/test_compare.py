"""``fastdl compare``: which of several runs to ship (SPEC S28)."""

import csv

import pytest

from fastdl import strategy
from fastdl.cli import compare as command
from fastdl.cli import main

RUNS = {
    "logistic": ("--model", "logistic"),
    "mlp": ("--model", "mlp", "--lr", "0.002"),
    "seed1": ("--model", "mlp", "--lr", "0.002", "--seed", "1"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, without_pictures):
    """The folders of three short runs; read only."""
    root = tmp_path_factory.mktemp("runs")
    for name, options in RUNS.items():
        argv = ["train", "digits", "--epochs", "1", *options]
        assert main([*argv, "--out", str(root / name)]) == 0
    return root


@pytest.fixture
def compare(capsys):
    """Run the command in this process; return its exit code, output and errors."""

    def run(*argv):
        code = main(["compare", *map(str, argv), "--seconds", "0.02"])
        return code, *capsys.readouterr()

    return run


def rows(out):
    """Return the cells behind the first cell of each line; rules left out."""
    lines = (line.split() for line in out.splitlines() if line.strip("-"))
    return {first: cells for first, *cells in lines}


def test_settings_that_differ_what_was_measured_and_the_choice(compare, runs):
    """S28: the table of runs, and the choice."""
    code, out, err = compare(
        runs / "logistic", runs / "mlp", "--limit", "parameters=1e3"
    )
    assert (code, err) == (0, "")
    settings, measured, _ = out.split("\n\n", 2)
    assert rows(settings) == {
        "settings": ["logistic", "mlp"],
        "model": ["logistic", "mlp"],
        "lr": ["0.003", "0.002"],
    }
    found = rows(measured)
    assert found["parameters"] == ["650", "17,226"]
    assert found["multiply_adds"][0] == "640"
    accuracy = [float(cell) for cell in found["accuracy"]]
    assert accuracy[0] < accuracy[1]
    for name in ("latency_ms", "latency_p95_ms", "batch_ms", "batch_p95_ms"):
        assert all(float(cell.replace(",", "")) > 0 for cell in found[name])
    assert (
        "chosen: logistic, the highest accuracy of those with parameters <= 1,0" in out
    )
    assert "not parameters <= 1,000" in out


def test_another_seed_is_another_dev_set(compare, runs):
    code, out, _ = compare(runs / "mlp", runs / "seed1")
    assert code == 0
    assert "note: the dev sets are not the same (seed)" in out
    assert "may be as good; with 382 examples the standard error" in out


def test_two_runs_without_a_mistake_are_as_good():
    """Where the standard error is 0, too."""
    same = {"accuracy": 1.0, "examples": 100}
    (note,) = command._doubt(strategy.choose({"a": same, "b": same}))
    assert note.startswith("note: b may be as good; with 100 examples")
    worse = {**same, "accuracy": 0.99}
    assert command._doubt(strategy.choose({"a": same, "b": worse})) == []


def test_a_single_run(compare, runs):
    code, out, _ = compare(runs / "mlp")
    assert code == 0
    assert out.startswith("measured")
    assert "chosen: mlp" in out


def test_what_is_no_run_among_them_is_left_out(compare, runs, tmp_path):
    (tmp_path / "tune-digits").mkdir()
    code, out, _ = compare(tmp_path / "tune-digits", runs / "mlp", runs / "logistic")
    assert code == 0
    assert out.startswith(f"note: left out, since no runs: {tmp_path / 'tune-digits'}")
    assert compare(tmp_path / "tune-digits")[0] == 2
    assert compare(tmp_path / "nowhere", runs / "mlp")[0] == 2


def test_by_another_measure_and_a_formula(compare, runs):
    code, out, _ = compare(
        *(runs / "logistic", runs / "mlp", "--optimise", "file_bytes"),
        *("--limit", "accuracy>=0.1", "--formula", "accuracy - 0 * latency_ms"),
    )
    assert code == 0
    assert (
        "chosen: logistic, the lowest file_bytes of those with accuracy >= 0.1" in out
    )
    assert "by the formula accuracy - 0 * latency_ms alone: mlp" in out


def test_what_was_measured_is_kept_and_read_again(compare, runs, tmp_path):
    """S28: also of a CSV file."""
    path = tmp_path / "new" / "runs.csv"
    code, out, _ = compare(runs / "logistic", runs / "mlp", "--save", path)
    assert code == 0
    assert out.endswith(f"saved in {path}\n")
    with open(path, newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["logistic", "mlp"]
    code, out, _ = compare("--csv", path, "--limit", "parameters<=1000")
    assert code == 0
    assert "chosen: logistic" in out
    assert "settings" not in out


def test_none_fits(compare, runs):
    code, out, err = compare(runs / "mlp", "--limit", "parameters=1000")
    assert code == 2
    assert "none fits" in out
    assert err == (
        "fastdl: error: no run fits: nearest is mlp, which misses parameters <= 1,000 "
        "by 16,226 (1622.6%)\n"
    )


def test_both_ends_of_a_limit(compare, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("name,accuracy,size\nA,0.9,5\nB,0.8,3\nC,0.7,1\nD,0.6,2\n")
    code, out, _ = compare("--csv", path, "--limit", "size<=3", "--limit", "size >= 2")
    assert code == 0
    assert "chosen: B, the highest accuracy of those with size 2 to 3" in out
    code, out, _ = compare("--csv", path, "--optimise", "size", "--maximise")
    assert "chosen: A, the highest size" in out
    code, out, _ = compare("--csv", path, "--minimise")
    assert "chosen: D, the lowest accuracy" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "give folders of runs, or --csv FILE, one of them"),
        (["RUN", "--csv", "x.csv"], "give folders of runs, or --csv FILE, one of them"),
        (["missing"], "there is no run folder missing"),
        (["RUN", "--limit", "fast"], "expected a limit such as latency_ms=100"),
        (["RUN", "--limit", "a=b"], "expected a limit such as latency_ms=100"),
        (["RUN", "--limit", "a=1", "--limit", "a=2"], "two limits of 'a'"),
        (
            ["RUN", "--limit", "a<=1", "--limit", "a<=2"],
            "two limits of 'a' for the",
        ),
        (["RUN", "--limit", "a<=1", "--limit", "a=2"], "two limits of 'a'"),
        (["RUN", "--limit", "latncy_ms=1"], "did you mean 'latency_ms'"),
        (["RUN", "--optimise", "acuracy"], "did you mean 'accuracy'"),
        (["RUN", "--formula", "exit()"], "is none of names, numbers"),
        (["--csv", "missing.csv"], "no file missing.csv"),
        (["RUN", "--minimise", "--maximise"], "not allowed with"),
    ],
)
def test_refused_in_one_line(compare, runs, argv, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = compare(*(runs / "mlp" if a == "RUN" else a for a in argv))
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--limit", "latency=1"), "did you mean 'latency_ms'"),
        (("--optimise", "acuracy"), "did you mean 'accuracy'"),
        (("--formula", "acuracy"), "did you mean 'accuracy'"),
        (("--optimise", "examples"), "is more or less of 'examples' better"),
    ],
)
def test_misspelt_names_are_told_before_the_measuring(
    compare, runs, monkeypatch, argv, message
):
    monkeypatch.setattr("fastdl.strategy.compare_runs", None)  # fails when called
    code, out, err = compare(runs / "mlp", *argv)
    assert (code, out) == (2, "")
    assert message in err
