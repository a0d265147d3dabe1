"""S32: ``fastdl train --from`` and ``--freeze``, and what a saved model says."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fastdl import datasets, nn
from fastdl.cli import main
from fastdl.train import Trainer, open_model, open_run

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The folder of a run on digits; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = "train digits --epochs 1 --examples 500 --no-report"
    assert main([*argv.split(), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of grey pictures of two sizes: even and odd digits."""
    root = tmp_path_factory.mktemp("pictures")
    digits = datasets.load("digits").train
    for i in range(80):
        folder = root / "train" / ("odd" if digits.y[i] % 2 else "even")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (255 * digits.x[i, ..., 0]).astype(np.uint8)
        image = Image.fromarray(pixels)
        if i % 2:
            image = image.resize((16, 16), Image.Resampling.NEAREST)
        image.save(folder / f"{i}.png")
    return root


def test_a_new_head_for_pictures_of_ones_own(
    fastdl_command, source, pictures, tmp_path
):
    """S32: they are resized to what the network learned from."""
    argv = ("train", pictures, "--from", source, "--freeze", "all", "--epochs", 2)
    code, out, _ = fastdl_command(*argv, "--no-report", "--out", tmp_path / "new")
    assert code == 0
    trained, new = open_run(source), open_run(tmp_path / "new")
    assert "examples of 8x8x1, 2 classes" in out
    assert f"digits_convnet: weights of {source.resolve()}, " in out
    head = sum(p.size for p in list(new.model.parameters())[-2:])
    everything = sum(p.size for p in new.model.parameters())
    assert f", {head:,} of {everything:,} parameters learn, 2 epochs" in out
    assert new.config["model"] == "digits_convnet"
    assert new.config["pretrained"] == str(source.resolve())
    assert new.config["freeze"] == "all"
    assert new.classes == new.model.class_names == ("even", "odd")
    old, own = (list(run.model.named_parameters()) for run in (trained, new))
    for (name, before), (_, after) in list(zip(old, own, strict=True))[:-2]:
        np.testing.assert_array_equal(after.numpy(), before.numpy(), err_msg=name)


def test_repeated_by_its_settings(fastdl_command, source, pictures, tmp_path):
    """S32: the same bits, and other weights in the same place are noticed."""
    place = tmp_path / "source"
    shutil.copytree(source, place)
    train = ("--no-report", "--out")
    argv = ("train", pictures, "--from", place, "--freeze", "8", "--epochs", 1)
    assert fastdl_command(*argv, *train, tmp_path / "a")[0] == 0
    again = ("train", "--config", tmp_path / "a" / "config.json")
    assert fastdl_command(*again, *train, tmp_path / "b")[0] == 0
    models = [(tmp_path / x / "model.safetensors").read_bytes() for x in "ab"]
    assert models[0] == models[1]
    nn.save(open_run(source).model.replace_head(10), place / "model.safetensors")
    code, _, err = fastdl_command(*again, *train, tmp_path / "c")
    assert code != 0
    assert "is not what this training starts from" in err
    code, _, _ = fastdl_command(*again, "--from", place, *train, tmp_path / "c")
    assert code == 0
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    assert config["pretrained_sha256"] != open_run(tmp_path / "a").job.pretrained_sha256


def test_from_a_file(fastdl_command, source, pictures, tmp_path):
    file = tmp_path / "m.safetensors"
    shutil.copy(source / "model.safetensors", file)
    argv = ("train", pictures, "--epochs", 1, "--no-report", "--out", tmp_path / "a")
    assert fastdl_command(*argv, "--from", file)[0] == 0
    assert open_run(tmp_path / "a").input_shape == (8, 8, 1)
    nn.save_weights(nn.load(file), file)
    more = ("--size", "8,8", "--model", "mlp")
    code, _, err = fastdl_command(*argv, "--from", file, *more)
    assert code != 0
    assert "does not fit 'mlp' for examples of shape (8, 8, 1); --model and" in err
    more = ("--size", "8,8", "--model", "digits_convnet", "--freeze", "all")
    assert fastdl_command(*argv, "--from", file, *more)[0] == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--freeze", "all"], "freeze is for trained weights"),
        (["--from", "SOURCE", "--freeze", "fc"], "there is no layer 'fc'"),
        (["--from", "SOURCE", "--model", "mlp"], "digits_convnet; leave out --model"),
        (["--from", "nowhere"], "no file nowhere"),
        (
            ["--from", "SOURCE", "--size", "4,4"],
            "of shape (8, 8, 1), and does not take",
        ),
    ],
)
def test_what_does_not_fit(fastdl_command, source, pictures, tmp_path, options, reason):
    """S32"""
    options = [str(source) if each == "SOURCE" else each for each in options]
    argv = ("train", pictures, *options, "--out", tmp_path / "new")
    if "--size" not in options and "SOURCE" not in options:
        argv += ("--size", "8,8")
    code, _, err = fastdl_command(*argv)
    assert code != 0
    assert reason in err
    assert not (tmp_path / "new").exists()


def test_a_model_file_predicts_and_is_evaluated(fastdl_command, source, tmp_path):
    """S32: class names and input size are in the file."""
    file = tmp_path / "model.safetensors"
    shutil.copy(source / "model.safetensors", file)
    digits = datasets.load("digits").test
    picture = tmp_path / "digit.png"
    Image.fromarray((255 * digits.x[0, ..., 0]).astype(np.uint8)).save(picture)
    answers = [fastdl_command("predict", each, picture) for each in (source, file)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 0
    code, out, _ = fastdl_command("evaluate", file, "digits")
    accuracy = Trainer(nn.load(file)).evaluate(digits)["accuracy"]
    assert code == 0
    assert out.startswith(f"accuracy {accuracy:.2%}")
    assert open_model(file).classes == tuple("0123456789")


def test_a_file_that_does_not_say_what_it_is_for(fastdl_command, tmp_path):
    file = tmp_path / "m"
    nn.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), file)
    code, _, err = fastdl_command("predict", file, file)
    assert code != 0
    assert "has no class_names and input_shape" in err


def test_a_data_set_by_name_keeps_its_size(
    fastdl_command, source, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    argv = ("train", "digits", "--from", source, "--epochs", 1, "--examples", 100)
    assert fastdl_command(*argv, "--no-report", "--out", "run")[0] == 0
    assert open_run("run").config["size"] is None


@pytest.mark.parametrize("start", [".", "model.safetensors"])
def test_a_run_does_not_overwrite_what_it_starts_from(
    fastdl_command, source, pictures, tmp_path, start
):
    run = shutil.copytree(source, tmp_path / "run")
    before = (run / "model.safetensors").read_bytes()
    options = ("--from", run / start, "--out", run, "--epochs", 1)
    code, _, err = fastdl_command("train", pictures, *options)
    assert code == 2
    assert "choose another folder by --out" in err
    assert (run / "model.safetensors").read_bytes() == before
