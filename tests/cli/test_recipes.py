"""The command ``fastdl recipes``, and recipes as settings of ``fastdl train``."""

import json
from datetime import date

import pytest

from fastdl.cli import recipes as command
from fastdl.train import RECIPE_FILES, Reached, open_run, recipe

pytestmark = pytest.mark.usefixtures("without_pictures")


def test_list(fastdl_command):
    code, out, _ = fastdl_command("recipes")
    assert code == 0
    heads, _, *rows, _ = out.splitlines()
    assert heads.split()[:3] == ["recipe", "data", "set"]
    assert [row.split()[0] for row in rows] == sorted(RECIPE_FILES)
    (row,) = (row for row in rows if row.startswith("pictures"))
    assert row.split() == ["pictures", "your", "own", "signs_convnet", "30"]


def test_list_says_what_was_reached(fastdl_command, monkeypatch):
    reached = Reached(0.98765, 123.0, "two cores", date(2026, 11, 28))
    file = RECIPE_FILES["digits"]._replace(reached=reached)
    monkeypatch.setattr(command, "RECIPE_FILES", {"digits": file})
    _, out, _ = fastdl_command("recipes")
    assert "20    98.8 %  2 min  two cores, 2026-11-28" in out


def test_print_one(fastdl_command):
    code, out, _ = fastdl_command("recipes", "resnet20")
    assert (code, out) == (0, RECIPE_FILES["resnet20"].path.read_text())


def test_unknown_name(fastdl_command):
    code, _, error = fastdl_command("recipes", "resnet02")
    assert code == 2
    assert "unknown recipe 'resnet02'; did you mean 'resnet20'" in error


def test_printed_recipe_is_a_config(fastdl_command, tmp_path):
    """Options go before the file, and it goes before what its recipe says."""
    mine, folder = tmp_path / "mine.toml", tmp_path / "run"
    mine.write_text(RECIPE_FILES["digits"].path.read_text())
    argv = ("train", "--config", mine, "--epochs", "1", "--out", folder)
    assert fastdl_command(*argv)[0] == 0
    assert open_run(folder).job.recipe == recipe("digits").replace(epochs=1)


def test_config_with_a_recipe_and_options_of_the_model(fastdl_command, tmp_path):
    mine, folder = tmp_path / "mine.toml", tmp_path / "run"
    mine.write_text(
        """
        dataset = "digits"
        recipe = "signs_dense"
        model = "mlp"
        epochs = 1
        seed = 3
        [model_options]
        hidden = [12]
        [reached]
        accuracy = 0.5
        """
    )
    assert fastdl_command("train", "--config", mine, "--out", folder)[0] == 0
    job = open_run(folder).job
    assert (job.recipe.lr, job.seed) == (0.0001, 3)
    assert job.recipe.model_options == {"hidden": [12]}
    assert json.loads((folder / "config.json").read_text())["model_options"] == {
        "hidden": [12]
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "my.toml",
            "lrr = 1",
            "my.toml: job: unknown setting 'lrr'; did you mean 'lr'",
        ),
        ("my.json", '{"lr": "x"}', "my.json: recipe: lr must be a number"),
        (
            "my.toml",
            "model = 'mpl'",
            "my.toml: unknown model 'mpl'; did you mean 'mlp'",
        ),
        ("my.toml", "lr = ", "my.toml is no TOML"),
        ("my", "lr = ", "my is no TOML"),
        ("my", "{", "my is damaged"),
        ("my.json", '{"lr": 1, "lr": 2}', "my.json is damaged: it has 'lr' twice"),
        pytest.param(
            *("my.json", f'{{"lr": 1{"0" * 400}}}'),
            "my.json: recipe: lr must be a number above 0, got 1000",
            id="a number too large for a float",
        ),
        (
            *("my.toml", "model = 'resnet18'\nmodel_options.width_mult = [1]"),
            "my.toml: recipe: model_options: width_mult must be a number above 0",
        ),
        (
            *("my.toml", "model = 'mlp'\nmodel_options.hidden = 5"),
            "my.toml: recipe: model_options: mlp: hidden must be the units",
        ),
        (
            *("my.toml", "model = 'signs_dense'\nmodel_options.width = 5"),
            "my.toml: recipe: model_options: the model 'signs_dense' has no 'width'\n",
        ),
        ("my.toml", "pretrained = ''", "my.toml: job: pretrained must be a text that"),
        ("my.json", "[]", "my.json holds no settings"),
    ],
)
def test_wrong_config(name, text, message, fastdl_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    code, _, error = fastdl_command("train", "digits", "--config", name)
    assert code == 2
    assert message in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset = ''", "job: dataset must be a text that is not empty, got ''"),
        ("epochs = 1", 'job: "dataset" is missing'),
        ("recipe = ['digits']", "job: recipe must be a text, got ['digits']"),
    ],
)
def test_wrong_config_for_all_settings(
    text, message, fastdl_command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(text)
    code, _, error = fastdl_command("train", "--config", "my.toml")
    assert code == 2
    assert f"my.toml: {message}" in error


@pytest.mark.parametrize("begin", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["a.json", "a.toml", "json", "toml", "my.v2"])
def test_kinds_of_config(name, begin, fastdl_command, tmp_path):
    """By the ending, else by what is in it; a byte order mark does no harm."""
    text = '{"model": "mpl"}' if "json" in name else "model = 'mpl'"
    (tmp_path / name).write_text(begin + text, encoding="utf-8")
    code, _, error = fastdl_command("train", "digits", "--config", tmp_path / name)
    assert code == 2
    assert f"{name}: unknown model 'mpl'; did you mean 'mlp'" in error


def test_wrong_option_beside_a_config(fastdl_command, tmp_path):
    """It is not blamed on the file."""
    (tmp_path / "my.toml").write_text("lr = 0.1")
    argv = ("train", "digits", "--config", tmp_path / "my.toml", "--model", "mpl")
    code, _, error = fastdl_command(*argv)
    assert code == 2
    assert "error: unknown model 'mpl'" in error
