"""Run folders."""

import json

import numpy as np
import pytest

from fastdl import nn
from fastdl.errors import DataError
from fastdl.train import RunFolder


def test_config_round_trip(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "one")
    folder.write_config({"classes": ("a", "b"), "lr": 1e-3})
    assert folder.read_config() == {"classes": ["a", "b"], "lr": 1e-3}
    folder.write_config({"lr": 2})
    assert RunFolder(str(folder.path)).read_config() == {"lr": 2}
    assert [file.name for file in folder.path.iterdir()] == ["config.json"]


def test_failed_write_leaves_the_old_file(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_config({"lr": 1})
    with pytest.raises(TypeError):
        folder.write_config({"lr": object()})
    assert folder.read_config() == {"lr": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_model_round_trip(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3))
    RunFolder(tmp_path).save_model(model)
    x = np.ones((1, 2), np.float32)
    loaded = RunFolder(tmp_path).load_model()
    np.testing.assert_array_equal(loaded(x).numpy(), model(x).numpy())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is no run folder: it has no config.json"),
        ("{", "config.json is damaged"),
        ("[1]", "holds no settings"),
        ("\udcff", "damaged"),
    ],
    ids=["missing", "cut off", "a list", "no text"],
)
def test_bad_config(tmp_path, text, message):
    if text is not None:
        data = text.encode(errors="surrogateescape")
        (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(DataError, match=message):
        RunFolder(tmp_path).read_config()


def test_missing_folder(tmp_path):
    (tmp_path / "checkpoint.safetensors").touch()
    with pytest.raises(DataError, match="interrupted within its first epoch"):
        RunFolder(tmp_path).read_config()
    with pytest.raises(DataError, match="there is no run folder"):
        RunFolder(tmp_path / "none").read_config()


def test_missing_model(tmp_path):
    with pytest.raises(DataError, match=r"model\.safetensors"):
        RunFolder(tmp_path).load_model()


def test_config_is_readable(tmp_path):
    RunFolder(tmp_path).write_config({"a": 1})
    text = (tmp_path / "config.json").read_text()
    assert json.loads(text) == {"a": 1}
    assert text.endswith("}\n")


def test_settings_without_end(tmp_path):
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(DataError, match=r"config\.json is damaged: it has more than"):
        RunFolder(tmp_path).read_config()
