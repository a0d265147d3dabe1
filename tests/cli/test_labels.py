"""``fastdl labels`` (S30)."""

import csv
import json
import re

import pytest

from fastdl import strategy
from fastdl.cli import main
from fastdl.train import open_run

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        code = main(["labels", *map(str, argv)])
        return code, *capsys.readouterr()

    return run


def test_digits(command, tmp_path):
    """S30: what it prints and leaves; the digits are labelled well."""
    code, out, err = command("digits", "--epochs", 3)
    assert (code, err) == (0, "")
    assert out.startswith("digits: 4 networks (strided_convnet, 3 epochs)")
    count = int(re.search(r"(\d+) suspect labels among 5,620; about", out)[1])
    assert "random: no class is labelled as one other" in out
    assert ["part", "index", "given", "label", "suggested", "score"] in [
        line.split() for line in out.splitlines()
    ]
    assert f"{count} suspects, and 100 others to compare" in out
    assert "fastdl errors" not in out  # for that it needs a run
    folder = tmp_path / "runs" / "digits"
    assert {file.name for file in folder.iterdir()} == {"labels.csv", "labels.json"}
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["suspect"] for row in rows] == ["yes"] * count + ["no"] * 100
    assert len(strategy.read_suspects(folder).suspects) == count


def test_a_name_is_no_folder(command, tmp_path):
    """Not even where a run has the name of a data set."""
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "config.json").write_text("{}")
    assert command("digits", "--epochs", 1, "--folds", 2)[0] == 0


def test_same_seed_same_file(command, tmp_path):
    for name in ("one", "two"):
        options = ("--epochs", 1, "--folds", 2, "--seed", 5, "--out", tmp_path / name)
        assert command("digits", *options)[0] == 0
    one, two = (tmp_path / name / "labels.json" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert json.loads(one.read_text())["seed"] == 5


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "digits"
    options = ["--model", "logistic", "--epochs", "1", "--seed", "3"]
    assert main(["train", "digits", *options, "--out", str(path)]) == 0
    return path


def test_a_run_keeps_those_of_its_own_parts(command, run_folder):
    """S29: the dev set of the run, which its seed has drawn."""
    options = ("--part", "dev", "--sample", 20, "--epochs", 2, "--folds", 2)
    code, out, _ = command(run_folder, *options)
    assert code == 0
    assert f"saved in {run_folder / 'labels.csv'}" in out
    assert f"fastdl errors {run_folder} --labels --part dev" in out
    found = strategy.read_suspects(run_folder)
    assert len(found.sample) == 20
    dev = open_run(run_folder).parts.dev
    for each in (*found.suspects, *found.sample):
        assert each.part == "dev"
        assert dev.y[each.index] == each.given


def test_the_pictures_of_a_run_have_their_size(command, run_folder):
    code, _, err = command(run_folder, "--size", "8,8")
    assert code == 2
    assert "--size is for a folder of pictures, not for a run" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("digit",), "did you mean 'digits'"),
        (("digits", "--part", "tset"), "did you mean 'test'"),
        (("digits", "--part", "train_dev"), "unknown part 'train_dev'"),
        (("digits", "--folds", 1), "folds: k must be an integer >= 2"),
        (("digits", "--folds", "two"), "expected an integer from 1"),
        (("digits", "--recipe", "digit"), "did you mean 'digits'"),
        (("digits", "--model", "convnets"), "did you mean 'convnet'"),
    ],
)
def test_mistakes_are_told_in_one_line(argv, message, command, tmp_path):
    code, _, err = command(*argv)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.rglob("labels.*"))


def test_a_folder_that_cannot_be_written_is_found_before_the_work(command, tmp_path):
    (tmp_path / "file").touch()
    code, out, err = command("digits", "--out", tmp_path / "file")
    assert code == 2
    assert "file" in err
    assert out == ""
