"""The command ``fastdl train``: what it prints, what it leaves, how it goes on."""

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

import fastdl
from fastdl import backend, datasets
from fastdl.train import CSVLog, LearningRateLog, RunFolder, Trainer


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
