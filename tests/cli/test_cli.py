"""The command ``fastdl``: what it prints, what it leaves, how it fails."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import fastdl
from fastdl import backend, datasets, models, nn
from fastdl.cli import main
from fastdl.cli.main import COMMANDS
from fastdl.cli.outcome import Outcome
from fastdl.train import CSVLog, LearningRateLog, RunFolder, Trainer


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """The folder of a run of three epochs; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = ["train", "digits", "--model", "mlp", "--epochs", "3", "--out", str(path)]
    assert main(argv) == 0
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures of two sizes, of the classes blue and red."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 5)):
        for name, channel in (("red", 0), ("blue", 2)):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 100, (9 + i % 2, 8, 3), np.uint8)
                pixels[..., channel] += 100
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


@pytest.fixture
def without_matplotlib(monkeypatch):
    """Make `import matplotlib` fail; it also saves the time for pictures."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


# Train --------------------------------------------------------------------------------


def test_train_leaves_a_run_folder(digits_run):
    assert {file.name for file in digits_run.iterdir()} == {
        "config.json",
        "measures.json",
        "metrics.csv",
        "report.html",
        "curves.png",
        "confusion.png",
        "mistakes.png",
        "model.safetensors",
    }
    for file in digits_run.glob("*.png"):
        assert file.read_bytes().startswith(b"\x89PNG")
    config = json.loads((digits_run / "config.json").read_text())
    assert config["dataset"] == "digits"
    assert config["classes"] == list("0123456789")
    assert config["input_shape"] == [8, 8, 1]
    assert (config["model"], config["epochs"], config["seed"]) == ("mlp", 3, 0)
    assert config["backend"] == backend.name
    with open(digits_run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[2]["val_accuracy"]) > 0.8


@pytest.mark.usefixtures("without_matplotlib")
def test_train_prints_the_result(fastdl_command, tmp_path):
    code, out, err = fastdl_command(
        "train", "digits", "--model", "mlp", "--epochs", 2, "--out", tmp_path
    )
    assert code == 0
    assert "3,441 training, 382 validation and 1,797 test examples of 8x8x1" in out
    assert "mlp: 17,226 parameters, 2 epochs of adam" in out
    right = int(re.search(r"test accuracy .*% \((\d,\d+) of 1,797 right\)", out)[1][2:])
    assert right > 0
    assert len(err.splitlines()) == 2
    assert err.startswith("epoch 1/2  loss ")
    assert "examples/s" in out
    assert f"saved in {tmp_path}" in out
    assert f"fastdl evaluate {tmp_path} digits" in out
    matrix = [line.split() for line in out.splitlines() if re.match(r"  \d ", line)]
    assert [row[0] for row in matrix] == list("0123456789")
    counts = np.array([[int(c.replace(".", "0")) for c in row[1:]] for row in matrix])
    model = fastdl.load(tmp_path / "model.safetensors")
    measured = Trainer(model).evaluate(datasets.load("digits").test)
    assert counts.sum() == 1797
    assert np.trace(counts) / 1797 == pytest.approx(measured["accuracy"])


@pytest.mark.usefixtures("without_matplotlib")
def test_the_network_is_asked_once_about_the_test_set(
    fastdl_command, tmp_path, monkeypatch
):
    """For the accuracy, for the report and for the diagnosis."""
    asked = Counter()
    predict = Trainer.predict

    def counted(self, x, *args, **options):
        asked[len(x)] += len(x)
        return predict(self, x, *args, **options)

    monkeypatch.setattr(Trainer, "predict", counted)
    argv = ["train", "digits", "--model", "logistic", "--epochs", "1"]
    code, out, _ = fastdl_command(*argv, "--out", tmp_path / "run")
    assert code == 0
    examples = int(re.search(r"and ([\d,]+) test examples", out)[1].replace(",", ""))
    assert asked[examples] == examples


@pytest.mark.parametrize("name", ["mistakes.png", "model.safetensors", "report.html"])
def test_a_folder_in_the_place_of_a_result(fastdl_command, tmp_path, name):
    """It is found before the training, which may take hours."""
    (tmp_path / name).mkdir()
    code, _, error = fastdl_command("train", "digits", "--out", tmp_path)
    assert code == 2
    assert f"{tmp_path / name}" in error
    assert "epoch 1/" not in error


@pytest.mark.usefixtures("without_matplotlib")
def test_train_goes_where_the_user_stands(fastdl_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, *_ = fastdl_command("train", "digits", "--model", "logistic", "--epochs", 1)
    assert code == 0
    assert (tmp_path / "runs" / "digits" / "model.safetensors").is_file()


@pytest.mark.usefixtures("without_matplotlib")
def test_same_seed_same_model(fastdl_command, tmp_path):
    options = ("train", "digits", "--model", "mlp", "--epochs", 1)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        fastdl_command(*options, "--seed", seed, "--out", tmp_path / name)
    a, b, c = [
        fastdl.load(tmp_path / name / "model.safetensors").state_dict()["1.weight"]
        for name in "abc"
    ]
    assert a.tobytes() == b.tobytes() != c.tobytes()


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--optimizer sgd", {"optimizer": "sgd", "lr": 0.1}),
        ("--optimizer momentum --lr 0.3", {"optimizer": "momentum", "lr": 0.3}),
        ("--optimizer adagrad", {"optimizer": "adagrad", "lr": 0.01}),
        ("--lr 1e-4 --batch-size 32", {"lr": 1e-4, "batch_size": 32}),
        ("--schedule constant", {"schedule": "constant"}),
        ("--recipe pictures", {"lr": 0.001, "batch_size": 64}),
    ],
)
def test_options_change_the_recipe(fastdl_command, tmp_path, given, expected):
    code, *_ = fastdl_command(
        *("train", "digits", "--model", "logistic", "--epochs", 1, "--out", tmp_path),
        *given.split(),
    )
    config = json.loads((tmp_path / "config.json").read_text())
    assert code == 0
    assert config == config | expected


@pytest.mark.skipif(backend.name != "compiled", reason="the reference has no threads")
@pytest.mark.usefixtures("without_matplotlib")
def test_threads(fastdl_command, tmp_path):
    before = fastdl.get_num_threads()
    try:
        fastdl_command(
            *("train", "digits", "--model", "logistic", "--epochs", 1),
            *("--threads", 3, "--out", tmp_path),
        )
        assert fastdl.get_num_threads() == 3
    finally:
        fastdl.set_num_threads(before)
    assert json.loads((tmp_path / "config.json").read_text())["threads"] == 3


@pytest.mark.usefixtures("without_matplotlib")
def test_train_on_a_folder_of_pictures(fastdl_command, pictures, tmp_path):
    code, out, _ = fastdl_command(
        *("train", pictures, "--size", "8,8", "--model", "logistic", "--epochs", 20),
        *("--batch-size", 4, "--out", tmp_path / "run"),
    )
    assert code == 0
    assert "36 training, 4 validation and 10 test examples of 8x8x3, 2 classes" in out
    assert "test accuracy 100.00% (10 of 10 right)" in out
    assert re.search(r"blue +red\n +blue +5 +\.\n +red +\. +5\n", out)
    picture = pictures / "test" / "red" / "0.png"
    code, out, _ = fastdl_command("predict", tmp_path / "run", picture, picture)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["red", "red"]
    code, out, _ = fastdl_command("evaluate", tmp_path / "run", pictures)
    assert code == 0
    assert out.startswith("accuracy 100.00% (10 of 10 right)\n")


@pytest.mark.usefixtures("without_matplotlib")
def test_one_class_is_none(fastdl_command, pictures, tmp_path):
    shutil.copytree(pictures / "train" / "red", tmp_path / "train" / "red")
    code, _, err = fastdl_command(
        "train", tmp_path, "--size", "8,8", "--out", tmp_path / "run"
    )
    assert code == 2
    assert "a classifier needs two at least" in err


def test_folder_without_test_pictures_gives_some_away(
    fastdl_command, pictures, tmp_path
):
    code, out, _ = fastdl_command(
        *("train", pictures / "train", "--size", "8,8", "--model", "logistic"),
        *("--epochs", 1, "--out", tmp_path),
    )
    assert code == 0
    assert "29 training, 3 validation and 8 test examples" in out
    accuracy = re.search("test (accuracy .* of 8 right\\))", out)[1]
    code, out, _ = fastdl_command("evaluate", tmp_path, pictures / "train")
    assert (code, out.splitlines()[0]) == (0, accuracy)  # not of what was learned


@pytest.mark.usefixtures("without_matplotlib")
def test_next_commands_run_as_they_are_printed(
    fastdl_command, pictures, tmp_path, monkeypatch
):
    data, run = tmp_path / "my pictures", tmp_path / "my run; $(x)"
    shutil.copytree(pictures, data)
    code, out, _ = fastdl_command(
        *("train", data, "--size", "8,8", "--model", "logistic", "--epochs", 1),
        *("--no-report", "--out", run),
    )
    assert code == 0
    commands = [shlex.split(line) for line in out.splitlines() if "  fastdl" in line]
    assert [words[1:] for words in commands[:4]] == [
        ["evaluate", str(run), str(data)],
        ["predict", str(run), "IMAGE.png"],
        ["diagnose", str(run)],
        ["errors", str(run)],
    ]
    assert fastdl_command(*commands[0][1:])[0] == 0
    _, _, err = fastdl_command("errors", run, "--no-browser", "--labels")
    assert shlex.split(re.search("`fastdl (.*)` makes it", err)[1])[1] == str(run)


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, with --lr 1e30
def test_another_training_in_the_folder_of_a_run(fastdl_command, tmp_path, monkeypatch):
    """One without a whole epoch leaves all as it was; a longer one takes its place."""

    def command(*more):
        options = ("--model", "mlp", "--epochs", 2, "--examples", 200)
        return fastdl_command("train", "digits", *options, "--out", tmp_path, *more)

    def interrupted(self, trainer, row):
        write(self, trainer, row)
        raise SystemError  # such as a kill

    assert command()[0] == 0
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert command("--lr", 1e30)[0] == 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    write = CSVLog.on_epoch_end
    monkeypatch.setattr(CSVLog, "on_epoch_end", interrupted)
    assert command("--lr", 0.5)[0] == 2
    assert json.loads((tmp_path / "config.json").read_text())["lr"] == 0.5
    for command in ("diagnose", "report"):  # nothing of another run is taken for it
        code, _, err = fastdl_command(command, tmp_path)
        assert (code, "no file" in err and "model.safetensors" in err) == (2, True)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_there_are_no_pictures(fastdl_command, tmp_path):
    code, out, _ = fastdl_command(
        "train", "digits", "--model", "logistic", "--epochs", 1, "--out", tmp_path
    )
    assert code == 0
    assert 'without pictures; for these: pip install "fastdl-cpu[plot]"' in out
    assert not list(tmp_path.glob("*.png"))
    assert (tmp_path / "model.safetensors").is_file()


def test_ctrl_c_while_training(fastdl_command, tmp_path, monkeypatch):
    def interrupted(self, train, **options):
        fit(self, train, **{**options, "epochs": epochs} if epochs else options)
        raise KeyboardInterrupt

    fit = Trainer.fit
    epochs = 1
    monkeypatch.setattr(Trainer, "fit", interrupted)
    code, _, err = fastdl_command(
        "train", "digits", "--model", "logistic", "--out", tmp_path
    )
    assert code == 130
    assert err.splitlines()[-1] == (
        f"fastdl: interrupted after 1 epoch; the model so far is saved in {tmp_path}; "
        f"add --resume to go on"
    )
    assert fastdl.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.usefixtures("without_matplotlib")
def test_a_signal_within_an_epoch(
    fastdl_command, tmp_path, monkeypatch, number, code, word
):
    """S23: the step is made; one line says where, and how to go on from there."""

    def command(name, *more):
        options = ("--model", "mlp", "--epochs", 2, "--examples", 640, "--no-report")
        return fastdl_command(
            "train", "digits", *options, "--out", tmp_path / name, *more
        )

    def interrupted(self, trainer, step):
        note(self, trainer, step)
        if (step.epoch, step.batch) == place:
            signal.raise_signal(number)

    assert command("whole")[0] == 0
    note = LearningRateLog.on_batch_end
    kept = ""
    for place, more in (((1, 3), ()), ((2, 9), ("--resume",))):
        with monkeypatch.context() as patch:
            patch.setattr(LearningRateLog, "on_batch_end", interrupted)
            ended, _, err = command("parts", *more)
        assert ended == code
        assert err.splitlines()[-1] == (
            f"fastdl: {word} in epoch {place[0]}, after {place[1]} of 10 batches"
            f"{kept}; add --resume to go on"
        )
        kept = f"; the model so far is saved in {tmp_path / 'parts'}"
    assert (tmp_path / "parts" / "model.safetensors").exists()
    ended, _, err = command("parts")
    assert (ended, "parts holds a training that was interrupted: --resume" in err) == (
        2,
        True,
    )
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert command("parts", "--resume")[0] == 0
    models = [tmp_path / name / "model.safetensors" for name in ("whole", "parts")]
    assert models[0].read_bytes() == models[1].read_bytes()
    files = [{path.name for path in folder.iterdir()} for folder in tmp_path.iterdir()]
    assert files[0] == files[1]


def test_ctrl_c_after_the_training(fastdl_command, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastdl.cli.train.examine", interrupted)
    code, _, err = fastdl_command(
        *("train", "digits", "--model", "logistic", "--examples", 100),
        *("--epochs", 1, "--out", tmp_path),
    )
    assert code == 130
    assert f"after the training; the model is saved in {tmp_path}, `fastdl e" in err
    assert fastdl.load(tmp_path / "model.safetensors")


def test_the_output_is_closed():
    """As by ``fastdl info >&-``."""
    code = "import sys; from fastdl.cli import main; sys.stdout = None; "
    code += "sys.exit(main(['models']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_one_run_folder_one_process(fastdl_command, tmp_path):
    with RunFolder(tmp_path).lock("train"):
        code, out, err = fastdl_command("train", "digits", "--out", tmp_path)
    message = f"another process ({os.getpid()}) is at 'train' in {tmp_path}; wait"
    assert (code, out, message in err) == (2, "", True)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("without_matplotlib")
def test_resume_gives_the_uninterrupted_run(fastdl_command, tmp_path, monkeypatch):
    """S15, S23: the schedule too goes on where it was."""

    def command(name, *more):
        options = ("--model", "mlp", "--epochs", 4, "--patience", 3)
        return fastdl_command(
            "train", "digits", *options, "--out", tmp_path / name, *more
        )

    def interrupted(self, trainer, row):
        write(self, trainer, row)
        if row["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)

    code, *_ = command("whole")
    write = CSVLog.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(CSVLog, "on_epoch_end", interrupted)
        assert command("parts")[0] == 130
    again, _, err = command("parts", "--resume")
    assert (code, again) == (0, 0)
    assert [line[:9] for line in err.splitlines()] == ["epoch 3/4", "epoch 4/4"]
    rates = []
    for name in ("whole", "parts"):
        with open(tmp_path / name / "metrics.csv", newline="") as file:
            rates.append([row["learning_rate"] for row in csv.DictReader(file)])
    assert rates[0] == rates[1]
    assert len(set(rates[0])) == 4
    models = [tmp_path / name / "model.safetensors" for name in ("whole", "parts")]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert not (tmp_path / "parts" / "checkpoint.safetensors").exists()


@pytest.mark.usefixtures("without_matplotlib")
def test_patience_checkpoints_and_tensorboard(fastdl_command, tmp_path):
    """S23: a rate that is far too high never does better than at first."""
    pytest.importorskip("tensorboardX")
    code, _, err = fastdl_command(
        *("train", "digits", "--model", "logistic", "--optimizer", "sgd", "--lr", 1e4),
        *("--schedule", "constant", "--epochs", 40, "--patience", 2),
        *("--checkpoints", "--tensorboard", "--out", tmp_path),
    )
    assert code == 0
    with open(tmp_path / "metrics.csv", newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    best = int(np.argmin(losses))
    assert len(losses) == len(err.splitlines()) == best + 1 + 2 < 40
    kept = [
        fastdl.load(tmp_path / f"{name}.safetensors").state_dict()["1.weight"]
        for name in ("model", "best", "last")
    ]
    np.testing.assert_array_equal(kept[0], kept[1])
    assert (kept[0] != kept[2]).any()
    (events,) = tmp_path.glob("events.out.tfevents.*")
    assert b"\x89PNG" in events.read_bytes()  # some of the training pictures


@pytest.mark.usefixtures("without_matplotlib")
def test_another_run_is_not_resumed(fastdl_command, tmp_path, monkeypatch):
    """S23: what differs is named; config.json stays that of the run."""

    def command(*more):
        options = ("--model", "logistic", "--epochs", 3, "--out", tmp_path)
        return fastdl_command("train", "digits", *options, *more)

    def interrupted(self, trainer, row):
        write(self, trainer, row)
        if row["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)

    write = CSVLog.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(CSVLog, "on_epoch_end", interrupted)
        assert command()[0] == 130
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    changed = ("--lr", 0.01, "--batch-size", 32, "--patience", 2, "--resume")
    code, _, err = command(*changed)
    assert code == 2
    for line in ("batch_size: 64, now 32", "lr.schedules.0.schedule.lr: 0.003, now"):
        assert line in err
    assert "(--allow-changes batch_size,callbacks,lr)" in err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    names = ("--allow-changes", "batch_size, callbacks,lr")
    code, _, err = command(*changed, *names)
    assert (code, err.splitlines()[0][:9]) == (0, "epoch 3/3")
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["batch_size"], config["lr"]) == (32, 0.01)


def test_a_run_folder_that_cannot_be_written(fastdl_command, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    code, _, err = fastdl_command("train", "digits", "--out", tmp_path / "file" / "run")
    assert code != 0
    assert "epoch" not in err
    assert str(tmp_path / "file") in err.splitlines()[-1]
    (tmp_path / "model.safetensors").mkdir()
    code, _, err = fastdl_command("train", "digits", "--out", tmp_path)
    assert code != 0
    assert "epoch" not in err
    assert str(tmp_path / "model.safetensors") in err.splitlines()[-1]


def test_nothing_to_resume(fastdl_command, tmp_path):
    code, _, err = fastdl_command("train", "digits", "--resume", "--out", tmp_path)
    assert code == 2
    assert f"no file {tmp_path / 'checkpoint.safetensors'}" in err
    assert "nothing to go on from" in err
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    _, _, err = fastdl_command("train", "digits", "--resume", "--out", tmp_path)
    assert "this run is finished" in err


def test_ctrl_c_elsewhere(fastdl_command, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastdl.models.create", interrupted)
    code, out, err = fastdl_command("summary", "convnet", "--input", "8,8,1")
    assert (code, out, err) == (130, "", "fastdl: interrupted\n")


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


# Errors -------------------------------------------------------------------------------


def assert_one_line(result, message):
    code, _, err = result
    *before, last = err.splitlines()
    assert code == 2
    assert all(line.startswith("epoch") for line in before)
    assert last.startswith("fastdl: error: ")
    assert re.search(message, last), last


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, with --lr 1e30
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("", "COMMAND.*--help"),
        ("trian digits", "invalid choice: 'trian'"),
        ("train", r"required: DATASET \(see fastdl train --help\)"),
        ("train digitz", "'digitz' is neither .* folder.*did you mean 'digits'"),
        ("train no/such/folder", "neither a data set nor a folder"),
        ("train digits --model convnt", "'convnt'; did you mean 'convnet'"),
        ("train digits --optimizer adm", "'adm'; did you mean 'adam'"),
        ("train digits --lr fast", "--lr: expected a number above 0, got 'fast'"),
        ("train digits --allow-changes lr", "--allow-changes is for --resume"),
        ("train digits --threads 2000", "expected an integer from 1 to 1024, got 2000"),
        ("train digits --augment crop=8", "Augment: crop must be less than .* 8 x 8"),
        ("train digits --lr 0", "--lr: expected a number above 0, got '0'"),
        ("train digits --lr -1", "--lr"),
        ("train digits --lr nan", "--lr"),
        ("train digits --lr inf", "--lr"),
        ("train digits --epochs 0", "--epochs: expected an integer from 1, got '0'"),
        ("train digits --epochs 1.5", "--epochs"),
        ("train digits --batch-size 0", "--batch-size"),
        ("train digits --seed -1", "--seed"),
        ("train digits --threads 0", "--threads"),
        ("train digits --size 8,8,3", "--size: expected height and width"),
        ("train digits --size 8x8", "or one number for both, got '8x8'"),
        ("train digits --epoch", "--epoch"),
        ("train digits more", "unrecognized arguments: more"),
        ("train digits --lr 1e30 --model mlp --epochs 2", "loss is|is not finite"),
        ("train digits --model s41", r"layer '4' \(Conv2d\): .*kernel"),
        ("models ResNet50", "did you mean 'resnet50'"),
        ("models --svg x.svg", "--svg is for one network; say by NAME which one"),
        ("models --input 8,8,1", "--input is for one network"),
        ("models --classes 3", "--classes is for one network"),
        ("summary convnt --input 8,8,1", "did you mean 'convnet'"),
        ("summary convnet --input 8,x", "--input: expected the shape"),
        ("summary convnet --input 1,1,1", r"layer '2' \(MaxPool2d\)"),
        ("summary convnet --input 8,8,1 --classes 0", "--classes"),
        ("evaluate none digits", "there is no file and no run folder none"),
        ("predict none picture.png", "there is no file and no run folder none"),
        ("predict none", "required: IMAGE"),
    ],
)
def test_wrong_arguments(fastdl_command, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    assert_one_line(fastdl_command(*argv.split()), message)


@pytest.mark.parametrize(
    "argv",
    [
        ("train", ""),
        ("train", "digits", "--out", ""),
        ("train", "digits", "--from", ""),
        ("train", "digits", "--config", ""),
        ("tune", ""),
        ("evaluate", "", "digits"),
        ("predict", "", "7.png"),
        ("predict", "run", ""),
        ("gradcheck", ""),
        ("labels", ""),
        ("report", ""),
        ("summary", "mlp", "--svg", ""),
    ],
    ids=" ".join,
)
def test_an_empty_path_is_not_the_folder_where_the_user_is(fastdl_command, argv):
    assert_one_line(fastdl_command(*argv), r"expected a name or a path, got ''")


def test_files_of_a_data_set_are_missing(fastdl_command, tmp_path):
    result = fastdl_command("train", "signs", "--data-dir", tmp_path)
    assert_one_line(result, rf"signs\.npz is missing.*{tmp_path}/signs")


def test_out_is_a_file(fastdl_command, tmp_path):
    (tmp_path / "file").touch()
    result = fastdl_command("train", "digits", "--out", tmp_path / "file")
    assert_one_line(result, "file")


def test_pictures_of_different_sizes(fastdl_command, pictures, tmp_path):
    result = fastdl_command("train", pictures, "--out", tmp_path)
    assert_one_line(result, r"pixels, others have .*\(--size 64\)")


def test_one_number_is_height_and_width(fastdl_command, pictures, tmp_path):
    """The message above, followed."""
    code, out, _ = fastdl_command(
        *("train", pictures, "--size", 64, "--model", "logistic", "--epochs", 1),
        *("--out", tmp_path),
    )
    assert code == 0
    assert "examples of 64x64x3" in out


def test_file_that_is_no_run(fastdl_command, digits_run):
    file = digits_run / "model.safetensors"
    result = fastdl_command("report", file)
    assert_one_line(result, f"no run folder {file}: it is a file")


def test_folder_that_is_no_run(fastdl_command, tmp_path):
    result = fastdl_command("evaluate", tmp_path, "digits")
    assert_one_line(result, "is no run folder: it has no config.json")


@pytest.fixture
def copy_of_run(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "copy")


def test_config_without_classes(fastdl_command, copy_of_run):
    (copy_of_run / "config.json").write_text('{"dataset": "digits"}')
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"config\.json has no classes and input_shape")


@pytest.mark.parametrize(
    "text",
    [
        '{"classes": ["a"], "input_shape": [1e999, 8, 1]}',
        '{"classes": ["a"], "input_shape": [8, 8, NaN]}',
        '{"classes": ["a"], "input_shape": "881"}',
        '{"classes": ["a"], "input_shape": [8, 8]}',
        '{"classes": "abc", "input_shape": [8, 8, 1]}',
        '{"classes": [1, 2], "input_shape": [8, 8, 1]}',
        '{"classes": null, "input_shape": null}',
    ],
)
def test_config_of_other_types(fastdl_command, copy_of_run, text):
    (copy_of_run / "config.json").write_text(text)
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"config\.json has no classes and input_shape")


def test_config_nested_beyond_the_stack(fastdl_command, copy_of_run):
    (copy_of_run / "config.json").write_text("[" * 100_000)
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"config\.json is damaged")


@pytest.mark.parametrize("change", ["too few classes", "too large a picture"])
def test_config_that_does_not_fit_the_model(change, fastdl_command, copy_of_run):
    config = json.loads((copy_of_run / "config.json").read_text())
    if change == "too few classes":
        config["classes"].pop()
    else:
        config["input_shape"] = [10**6, 10**6, 1]
    (copy_of_run / "config.json").write_text(json.dumps(config))
    picture = copy_of_run / "curves.png"
    Image.new("L", (8, 8)).save(picture)
    result = fastdl_command("predict", copy_of_run, picture)
    assert_one_line(result, "numbers for an example|1000000 x 1000000 are too large")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: b"not a model", "as a safetensors file"),
        (lambda data: b"", "safetensors"),
        (lambda data: data.replace(b"Flatten", b"Flutten"), "another checksum"),
    ],
    ids=["cut off", "foreign", "empty", "changed"],
)
def test_damaged_model(fastdl_command, copy_of_run, damage, message):
    model = copy_of_run / "model.safetensors"
    model.write_bytes(damage(model.read_bytes()))
    assert_one_line(fastdl_command("evaluate", copy_of_run, "digits"), message)


def test_missing_model(fastdl_command, copy_of_run):
    (copy_of_run / "model.safetensors").unlink()
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"model\.safetensors")


def test_other_classes_and_other_shapes(fastdl_command, copy_of_run, pictures):
    result = fastdl_command("evaluate", copy_of_run, pictures)
    assert_one_line(result, "has pictures of 8x8x3, but the network takes 8x8x1")
    config = json.loads((copy_of_run / "config.json").read_text())
    config["classes"][0] = "zero"
    (copy_of_run / "config.json").write_text(json.dumps(config))
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, "has the classes 0, 1, .* but the network knows zero, 1,")


def test_pictures_that_cannot_be_read(fastdl_command, digits_run, tmp_path):
    result = fastdl_command("predict", digits_run, tmp_path / "none.png")
    assert_one_line(result, r"none\.png")
    (tmp_path / "text.png").write_text("no picture")
    result = fastdl_command("predict", digits_run, tmp_path / "text.png")
    assert_one_line(result, r"text\.png cannot be read as a picture")


def test_a_bug_is_one_line_too(fastdl_command, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("fastdl.models.create", broken)
    argv = ("summary", "convnet", "--input", "8,8,1")
    assert_one_line(
        fastdl_command(*argv), r"ZeroDivisionError: division by zero \(FASTDL_DEBUG=1"
    )
    monkeypatch.setenv("FASTDL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        fastdl_command(*argv)


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
