"""Jobs: a training as data; and finished runs, opened again."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fastdl import datasets, models
from fastdl.cli import main
from fastdl.data import Augment
from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.train import Job, RunFolder, open_run, recipe

pytestmark = pytest.mark.usefixtures("without_pictures")
QUICK = {"dataset": "digits", "model": "logistic", "epochs": 1}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The folder of a short run; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = ["train", "digits", "--model", "logistic", "--epochs", "2", "--lr", "0.01"]
    assert main([*argv, "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with train/, dev/ and test/ of two classes."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("dev", 8), ("test", 6)):
        for name in ("blue", "red"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (6, 6, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def test_data_and_back():
    job = Job("digits", recipe("digits"), seed=3, size=(8, 8), examples=50)
    settings = json.loads(json.dumps(job.to_dict()))
    assert settings["lr"] == 0.003
    assert settings["augment"]["translate"] == 0.6
    assert Job.from_dict(settings) == job
    assert job.replace(lr=0.1, seed=4).recipe.lr == 0.1


def test_what_is_not_given_comes_from_the_recipe():
    assert Job.from_dict({"dataset": "digits"}).recipe == recipe("digits")
    assert Job.from_dict({"dataset": "here"}).recipe == recipe("pictures")
    job = Job.from_dict({"dataset": "mnist", "recipe": "mnist_accurate", "epochs": 2})
    assert (job.recipe.model, job.recipe.epochs) == ("deep_convnet", 2)
    plain = Job.from_dict({"dataset": "digits", "augment": None})
    assert plain.recipe.augment is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": None}, "dataset must be a text"),
        ({"lr": 0.1}, '"dataset" is missing'),
        (QUICK | {"dataset": ["digits"]}, r"dataset must be a text, got \['digits'\]"),
        (QUICK | {"recipe": {"lr": 1}}, "recipe must be a text, got {'lr': 1}"),
        (QUICK | {"lrr": 1}, "unknown setting 'lrr'; did you mean 'lr'"),
        (QUICK | {"lr": "fast"}, "lr must be a number above 0, got 'fast'"),
        (QUICK | {"lr": float("nan")}, "lr must be"),
        (QUICK | {"lr": True}, "lr must be"),
        (QUICK | {"epochs": 1.5}, "epochs"),
        (QUICK | {"seed": -1}, "seed"),
        (QUICK | {"model": ["logistic"]}, "unknown model"),
        (QUICK | {"optimizer": "adm"}, "did you mean 'adam'"),
        (QUICK | {"momentum": 1}, "momentum must be a number from 0 to below 1"),
        (QUICK | {"optimizer": "adagrad", "momentum": 0.5}, "adagrad has no momentum"),
        (QUICK | {"augment": {"rotat": 3}}, "did you mean 'rotate'"),
        (QUICK | {"augment": {"rotate": "x"}}, "rotate"),
        (QUICK | {"augment": 3}, "augment must be an Augment"),
        (QUICK | {"size": [8]}, "size"),
        (QUICK | {"recipe": "digitz"}, "did you mean 'digits'"),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_bad_settings(settings, message):
    with pytest.raises(FastdlError, match=message):
        Job.from_dict(settings)


@pytest.mark.parametrize(
    ("optimizer", "option"),
    [("sgd", "momentum"), ("nesterov", "momentum"), ("rmsprop", "momentum")],
)
def test_momentum_of_an_optimizer(optimizer, option):
    """S12"""
    job = Job.from_dict(QUICK | {"optimizer": optimizer, "momentum": 0.25})
    (group,) = job.trainer(job.load()).optimizer.param_groups
    assert group[option] == 0.25


def test_momentum_of_adam_is_its_beta1():
    job = Job.from_dict(QUICK | {"momentum": 0.25})
    (group,) = job.trainer(job.load()).optimizer.param_groups
    assert group["betas"] == (0.25, 0.999)


def test_dropout_is_the_models():
    job = Job.from_dict({"dataset": "digits", "dropout": 0.125})
    assert job.recipe.create_model(10)[-2].p == 0.125
    with pytest.raises(ArgumentError, match="'logistic' has no dropout"):
        Job.from_dict(QUICK | {"dropout": 0.5}).recipe.create_model(10)


def test_parts_share_no_example():
    """S24"""
    parts = Job("digits").load()
    digits = datasets.load("digits")
    assert (len(parts.train), len(parts.dev), len(parts.test)) == (3441, 382, 1797)
    both = np.concatenate([parts.train.indices, parts.dev.indices])
    np.testing.assert_array_equal(np.sort(both), np.arange(len(digits.train)))
    assert parts.train_dev is None
    assert parts.input_shape == (8, 8, 1)


def test_two_distributions_have_a_train_dev_set(pictures):
    """S24: dev and test are of the target, train-dev is carved from train."""
    parts = Job(str(pictures)).load()
    sizes = [len(part) for part in parts[2:]]
    assert sizes == [72, 16, 12, 8]
    splits = datasets.find(pictures)
    np.testing.assert_array_equal(parts.dev.x, splits.dev.x)


@pytest.mark.parametrize("name", ["val", "validation"])
def test_the_dev_set_by_other_names(name, pictures, tmp_path):
    """S24"""
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    (tmp_path / "dev").rename(tmp_path / name)
    assert len(datasets.find(tmp_path).dev) == 16
    (tmp_path / "dev").mkdir()
    with pytest.raises(DataError, match=f"dev and {name}, which mean the same"):
        datasets.find(tmp_path)


def test_only_folders_are_resized():
    with pytest.raises(ArgumentError, match="digits has pictures of one size"):
        Job("digits", size=(16, 16)).load()


def test_dev_without_test_gives_half_away(pictures, tmp_path):
    """S24"""
    for part in ("train", "dev"):
        shutil.copytree(pictures / part, tmp_path / part)
    parts = Job(str(tmp_path)).load()
    assert [len(part) for part in parts[2:]] == [72, 8, 8, 8]


def test_few_examples():
    parts = Job("digits", examples=100).load()
    assert len(parts.train) == 100
    assert np.bincount(parts.train.y).min() >= 9
    assert len(Job("digits", examples=3441).load().train) == 3441
    with pytest.raises(DataError, match="3441 training examples, but 3442"):
        Job("digits", examples=3442).load()


def test_same_job_same_bits():
    job = Job.from_dict(QUICK | {"seed": 5})
    weights = [job.fit().model.state_dict()["1.weight"] for _ in range(2)]
    np.testing.assert_array_equal(*weights)
    other = job.replace(seed=6).fit().model.state_dict()["1.weight"]
    assert (other != weights[0]).any()


def test_config_of_a_run_repeats_it(run_folder, tmp_path):
    """S34: to the bit; options go before."""
    config = str(run_folder / "config.json")
    assert main(["train", "--config", config, "--out", str(tmp_path / "same")]) == 0
    models_of = [RunFolder(path).model for path in (run_folder, tmp_path / "same")]
    assert models_of[0].read_bytes() == models_of[1].read_bytes()
    argv = ["train", "--config", config, "--seed", "1", "--epochs", "1"]
    assert main([*argv, "--out", str(tmp_path / "other")]) == 0
    job = open_run(tmp_path / "other").job
    assert (job.seed, job.recipe.epochs, job.recipe.lr) == (1, 1, 0.01)


def test_options_of_the_command_are_settings(tmp_path):
    argv = "train digits --model mlp --epochs 1 --weight-decay 0.01 --dropout 0.25"
    more = "--label-smoothing 0.1 --momentum 0.8 --augment translate=1,rotate=5"
    more += f" --examples 300 --out {tmp_path}"
    assert main([*argv.split(), *more.split()]) == 0
    chosen = open_run(tmp_path).job.recipe
    assert (chosen.weight_decay, chosen.dropout) == (0.01, 0.25)
    assert (chosen.label_smoothing, chosen.momentum) == (0.1, 0.8)
    assert chosen.augment == Augment(translate=1, rotate=5)
    assert open_run(tmp_path).job.examples == 300


def test_finished_run(run_folder):
    run = open_run(run_folder)
    assert run.name == "digits"
    assert run.classes == tuple("0123456789")
    assert run.input_shape == (8, 8, 1)
    assert run.job.recipe.lr == 0.01
    assert run.history["epoch"] == [1, 2]
    measured = run.trainer.evaluate(run.parts.dev)
    assert run.history["val_accuracy"][-1] == pytest.approx(measured["accuracy"])


def test_run_of_a_folder_is_opened_from_elsewhere(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    argv = ["train", pictures.name, "--model", "logistic", "--epochs", "1"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    monkeypatch.chdir(tmp_path)
    assert len(open_run("run").parts.train) == 72


def test_data_are_gone_or_others(run_folder, pictures, tmp_path):
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    for dataset, message in (("gone", "neither"), (str(pictures), "the same data")):
        config["dataset"] = dataset
        (copy / "config.json").write_text(json.dumps(config))
        with pytest.raises(DataError, match=message):
            _ = open_run(copy).parts


def test_run_of_an_older_version(run_folder, tmp_path):
    """Its config.json has fewer settings."""
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    for name in ("momentum", "dropout", "examples", "size", "patience", "data_dir"):
        del config[name]
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "metrics.csv").unlink()
    run = open_run(copy)
    assert run.job == open_run(run_folder).job
    assert len(run.history) == 0


def test_damaged_history(run_folder, tmp_path):
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    (copy / "metrics.csv").write_text("epoch,loss\n1,low\n")
    with pytest.raises(DataError, match=r"metrics\.csv cannot be read"):
        _ = open_run(copy).history


def test_one_training_a_folder(run_folder, tmp_path, capsys):
    with RunFolder(tmp_path).lock("train"):
        argv = ["train", "digits", "--epochs", "1", "--out", str(tmp_path)]
        assert main(argv) == 2
    assert "another process" in capsys.readouterr().err


@pytest.mark.parametrize("name", models.names())
def test_every_model_has_a_job(name):
    assert Job.from_dict({"dataset": "digits", "model": name}).recipe.model == name


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("train --config none.json", "none.json"),
        ("train", "required: DATASET"),
        ("train --config CONFIG --recipe digits", "both say how"),
        ("train digits --augment rotate", "names with numbers"),
        ("train digits --augment rotat=3", "did you mean 'rotate'"),
        ("train digits --dropout 1", "from 0 to below 1"),
        ("train digits --weight-decay -1", "expected a number from 0"),
        ("train digits --examples 99999", "99999 are asked for"),
    ],
)
def test_wrong_arguments(argv, message, run_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = argv.replace("CONFIG", str(run_folder / "config.json"))
    assert main(argv.split()) == 2
    assert message in capsys.readouterr().err


def test_what_the_job_decides_is_no_option():
    with pytest.raises(ArgumentError, match="fit takes epochs from the job"):
        Job("digits").fit(epochs=3)
    with pytest.raises(ArgumentError, match=r"expected settings by name, got \[\]"):
        Job.from_dict([])
