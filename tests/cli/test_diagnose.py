"""The command ``fastdl diagnose`` (S25, S26)."""

import json
import re
import sys

import pytest
from PIL import Image

from fastdl import data, datasets
from fastdl.cli import main


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """The folder of a run that has seen 150 examples."""
    path = tmp_path_factory.mktemp("runs") / "few"
    argv = ["train", "digits", "--model", "mlp", "--epochs", "20", "--lr", "0.01"]
    assert main([*argv, "--examples", "150", "--out", str(path)]) == 0
    return path


def test_variance_and_its_next_step(fastdl_command, few):
    """S25: the first command of the list works as it stands, and helps."""
    code, out, err = fastdl_command("diagnose", few)
    assert (code, err) == (0, "")
    assert out.startswith(f"{few}\n\n")
    assert re.search(r"\d %  variance \(.* to .* %\)  <- 1\n", out)
    assert "the problem is variance" in out
    command = re.search(r"fastdl (train .*)", out)[1].split()
    assert command[-4:-2] == ["--examples", "600"]
    assert main(command) == 0
    _, after, _ = fastdl_command("diagnose", command[-1])

    def dev(text):
        return float(re.search(r"^dev +(.*) %", text, re.M)[1])

    assert dev(after) < dev(out)


def test_kept_and_measured_again(fastdl_command, few):
    _, first, _ = fastdl_command("diagnose", few)
    measures = few / "measures.json"
    content = json.loads(measures.read_text())
    content["errors"]["content"]["errors"]["dev"] = 0.875
    measures.write_text(json.dumps(content))
    assert re.search(r"^dev +87\.5 %", fastdl_command("diagnose", few)[1], re.M)
    assert fastdl_command("diagnose", few, "--again")[1] == first


def test_human_error_and_small_gaps(fastdl_command, few):
    _, out, _ = fastdl_command("diagnose", few, "--human", 0.3)
    assert "below the human error 30 %" in out
    _, out, _ = fastdl_command("diagnose", few, "--small", 0.9)
    assert "no problem" in out
    assert "next:" not in out


def test_data_curve(fastdl_command, few):
    code, out, _ = fastdl_command("diagnose", few, "--data-curve", "--wanted", 0.03)
    assert code == 0
    assert "more data would help: with 150 training examples" in out
    assert "a dev error of 3 % needs about" in out
    picture = few / "data_curve.png"
    assert f"saved in {picture}" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib(fastdl_command, few, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, _ = fastdl_command("diagnose", few, "--data-curve")
    assert code == 0
    assert "saved in" not in out


def test_several_runs(fastdl_command, few):
    code, out, _ = fastdl_command("diagnose", few, few)
    assert code == 0
    assert out.count(f"{few}\n\n  ") == 2


def test_data_mismatch_of_a_folder(fastdl_command, tmp_path):
    """S26: dev/ of another kind than train/ makes a train-dev set."""
    whole = datasets.load("digits").train
    train, dev, test = data.split(whole, (600, 200, 200, -1), stratify=True)[:3]
    for name, part in (("train", train), ("dev", dev), ("test", test)):
        for i, (x, y) in enumerate(zip(part.x[..., 0], part.y, strict=True)):
            (tmp_path / "data" / name / str(y)).mkdir(parents=True, exist_ok=True)
            pixels = (255 * (x if name == "train" else 1 - x)).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / "data" / name / str(y) / f"{i}.png")
    options = ["--model", "mlp", "--epochs", "15", "--lr", "0.01", "--augment", "none"]
    out = tmp_path / "run"
    assert main(["train", str(tmp_path / "data"), *options, "--out", str(out)]) == 0
    code, text, _ = fastdl_command("diagnose", out)
    assert code == 0
    assert re.search(r"^train-dev +\d", text, re.M)
    assert re.search(r"%  data mismatch \(.*\)  <- 1$", text, re.M)
    assert "against data mismatch:\n    training data like those of dev" in text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "required: RUN"),
        (("no/such/run",), "there is no run folder"),
        (("{few}", "--human", "1"), "--human: expected a number from 0 to below 1"),
        (("{few}", "--human", "1%"), "--human: expected a number"),
        (("{few}", "--wanted", "0.1"), "--wanted is for --data-curve"),
        (("{few}", "--data-curve", "--wanted", "0"), "between 0 and 1, got 0"),
        (("{few}", "--data-dir", "/no", "--again"), ""),
    ],
)
def test_mistakes_in_one_line(fastdl_command, few, argv, message):
    code, _, err = fastdl_command("diagnose", *(each.format(few=few) for each in argv))
    if message:
        assert code == 2
        assert err.startswith("fastdl: error: ")
        assert message in err.splitlines()[-1]
        assert len(err.splitlines()) == 1
    else:
        assert code == 0  # digits are inside the package, whatever the folder
