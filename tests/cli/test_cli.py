"""The command ``fastdl``: the smaller commands, and as a program."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import fastdl
from fastdl import backend, datasets, models, nn
from fastdl.cli import main
from fastdl.cli.main import COMMANDS
from fastdl.cli.outcome import Outcome
from fastdl.train import Trainer

# The other commands -------------------------------------------------------------------


def test_evaluate(fastdl_command, digits_run):
    code, out, err = fastdl_command("evaluate", digits_run, "digits")
    model = fastdl.load(digits_run / "model.safetensors")
    accuracy = Trainer(model).evaluate(datasets.load("digits").test)["accuracy"]
    assert (code, err) == (0, "")
    assert out.startswith(f"accuracy {accuracy:.2%} ({accuracy * 1797:,.0f} of 1,797")
    assert out.splitlines()[2].startswith("confusion matrix")
    assert out.splitlines()[3].split() == list("0123456789")
    assert out.splitlines()[-1].endswith(" examples/s")


def outcome(matrix, classes):
    return Outcome(None, None, classes, np.array(matrix))


def test_long_names_are_numbered():
    text = outcome([[9, 1], [0, 1234]], ["Ankle boot", "Bag"]).describe()
    assert text.splitlines() == [
        "accuracy 99.92% (1,243 of 1,244 right)",
        "",
        "confusion matrix (rows: true, columns: predicted)",
        "                    0      1",
        "  Ankle boot 0      9      1",
        "         Bag 1      .  1,234",
    ]


def test_of_many_classes_the_most_frequent_mistakes_are_told():
    matrix = np.eye(30, dtype=int)
    names = [f"class {i}" for i in range(30)]
    assert outcome(matrix, names).describe().endswith("mistakes:\n  none")
    matrix[3, 4], matrix[7, 2] = 5, 6
    assert outcome(matrix, names).describe().splitlines()[2:] == [
        "most frequent mistakes:",
        "  class 7 taken for class 2: 6",
        "  class 3 taken for class 4: 5",
    ]


@pytest.mark.parametrize("form", ["grey", "colour", "large"])
def test_predict(fastdl_command, digits_run, tmp_path, form):
    test = datasets.load("digits").test
    sevens = test.x[test.y == 7][:5, ..., 0]
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for file, seven in zip(files, sevens, strict=True):
        image = Image.fromarray((255 * seven).astype(np.uint8))
        if form == "colour":
            image = image.convert("RGB")
        if form == "large":
            image = image.resize((64, 64), Image.Resampling.NEAREST)
        image.save(file)
    code, out, err = fastdl_command("predict", digits_run, *files)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5
    for file, line in zip(files, lines, strict=True):
        assert re.fullmatch(rf"{re.escape(str(file))}: \d \(\d+\.\d%\)", line)
    assert sum(line.split(": ")[1][0] == "7" for line in lines) >= 4


def test_grey_picture_for_a_network_of_colours(fastdl_command, tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    folder = fastdl.train.RunFolder(tmp_path)
    folder.save_model(model)
    folder.write_config({"classes": ["a", "b"], "input_shape": [2, 2, 3]})
    Image.fromarray(np.full((2, 2), 51, np.uint8)).save(tmp_path / "grey.png")
    code, out, _ = fastdl_command("predict", tmp_path, tmp_path / "grey.png")
    p = Trainer(model).predict(np.full((1, 2, 2, 3), 0.2), probabilities=True)[0]
    assert code == 0
    assert out == f"{tmp_path / 'grey.png'}: {'ab'[p.argmax()]} ({p.max():.1%})\n"


@pytest.mark.parametrize("given", [[], ["--classes", "7"]])
def test_summary(fastdl_command, given):
    code, out, _ = fastdl_command("summary", "convnet", "--input", "28,28,1", *given)
    expected = models.create("convnet", classes=7 if given else 10)
    assert (code, out) == (0, expected.summary((28, 28, 1)) + "\n")


def test_summary_as_a_drawing(fastdl_command, tmp_path):
    path = tmp_path / "lenet5.svg"
    code, out, err = fastdl_command("summary", "lenet5", "--svg", str(path))
    assert (code, err) == (0, "")
    assert fastdl_command("summary", "lenet5") == (0, out, "")
    assert "<title>Sequential, 61,706 parameters" in path.read_text(encoding="utf-8")


def test_models(fastdl_command):
    """The counts, which `tests/models/test_catalogue.py` proves."""
    code, out, _ = fastdl_command("models")
    assert code == 0
    rows = {line.split()[0]: re.split(r"\s{2,}", line) for line in out.splitlines()}
    assert rows["resnet50"][1:] == [
        *("224x224x3", "1,000", "25,557,032", "4,089,184,256", "He et al. 2015")
    ]
    assert rows["mlp"][1:] == ["28x28x1", "10", "109,386", "109,184"]
    assert set(models.CATALOGUE) < set(rows)


def test_a_published_network_has_its_published_sizes(fastdl_command):
    code, out, _ = fastdl_command("models", "lenet5")
    assert (code, out) == (0, models.lenet5().summary((28, 28, 1)) + "\n")
    assert fastdl_command("summary", "lenet5") == (0, out, "")


def test_info(fastdl_command):
    code, out, _ = fastdl_command("info")
    assert code == 0
    lines = dict(re.split(r"\s{2,}", line) for line in out.splitlines())
    assert lines == fastdl.info()
    assert lines["fastdl"] == fastdl.__version__
    assert lines["backend"] == backend.name
    assert lines["NumPy"] == np.__version__
    if backend.name == "compiled":
        assert lines["instruction set"] in lines["available"].split(", ")
        assert lines["threads"] == str(fastdl.get_num_threads())


def test_hashes_are_compared_with_those_published(fastdl_command, monkeypatch):
    from fastdl.cli import hashes

    if backend.name != "compiled":
        code, _, error = fastdl_command("info", "--hashes")
        assert code == 2
        assert "the hashes are of the compiled kernels; set FASTDL_BACKEND=c" in error
        return
    lines = [hashes.Hash("avx2", "float32", "ab" * 32, None)]
    monkeypatch.setattr(hashes, "measure", lambda: iter(lines))
    code, out, _ = fastdl_command("info", "--hashes")
    assert code == 0
    assert out == f"avx2     float32  {'ab' * 32}  not published for this compiler\n"
    lines += [lines[0]._replace(published="ab" * 32)]
    lines += [lines[0]._replace(published="cd" * 32)]
    code, out, error = fastdl_command("info", "--hashes")
    assert code == 2
    assert out.splitlines()[1].endswith("  as published")
    assert out.splitlines()[2].endswith(f"  NOT AS PUBLISHED: {'cd' * 32}")
    assert "1 of the hashes are not as published" in error


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"fastdl {fastdl.__version__}\n"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert f"examples:\n  fastdl {command}" in out
    assert max(map(len, out.splitlines())) <= 88


# As a program -------------------------------------------------------------------------


def program(*argv, **environment):
    return subprocess.run(
        [sys.executable, "-m", "fastdl", *argv],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_module_is_the_command():
    result = program("info", FASTDL_NUM_THREADS="1", FASTDL_BACKEND="reference")
    assert result.returncode == 0
    assert result.stdout.startswith("fastdl ")
    assert "reference" in result.stdout
    assert result.stderr == ""


def test_wrong_environment_variable_is_one_line():
    result = program("info", FASTDL_BACKEND="compild")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "fastdl: error: unknown backend 'compild'; did you mean 'compiled'?\n"
    )


def test_closed_output_is_no_error():
    command = f"{sys.executable} -m fastdl info | true"
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
