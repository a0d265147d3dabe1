"""Files of models and weights."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastdl import nn
from fastdl.errors import DataError, FastdlError, GraphError, ShapeError

X = np.random.default_rng(0).standard_normal((5, 6, 6, 2)).astype(np.float32)


@pytest.fixture
def model():
    model = nn.Sequential(
        nn.Conv2d(None, 4, 3, padding="same"),
        nn.BatchNorm2d(None),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(None, 3),
    )
    model(X)
    return model


def test_model_round_trip(model, tmp_path):
    path = tmp_path / "new folder" / "model.safetensors"
    nn.save(model, path)
    again = nn.load(path)
    assert repr(again) == repr(model)
    assert not any(module.training for module in again.modules())
    np.testing.assert_array_equal(again(X).numpy(), model.eval()(X).numpy())
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_float64_stays_float64(model, tmp_path):
    nn.save(model.astype(np.float64), tmp_path / "m")
    again = nn.load(tmp_path / "m")
    assert again[0].weight.dtype == np.float64
    np.testing.assert_array_equal(again[0].weight.data, model[0].weight.data)


def test_weights_round_trip(model, tmp_path):
    nn.save_weights(model, tmp_path / "w")
    other = nn.from_config(nn.to_config(model))
    nn.load_weights(other, tmp_path / "w")
    np.testing.assert_array_equal(other.eval()(X).numpy(), model.eval()(X).numpy())
    with pytest.raises(DataError, match=r"weights but no fastdl model.*load_weights"):
        nn.load(tmp_path / "w")


def test_weights_of_other_names_or_shapes(model, tmp_path):
    nn.save_weights(nn.Sequential(nn.Linear(3, 2)), tmp_path / "w")
    save_file({"0.bais": np.zeros(2), "0.weight": np.zeros((3, 2))}, tmp_path / "v")
    with pytest.raises(FastdlError, match=r"(?s)missing '0.bias'.*unexpected '0.bais'"):
        nn.load_weights(nn.Sequential(nn.Linear(3, 2)), tmp_path / "v")
    with pytest.raises(
        ShapeError, match=r"'0.weight': expected .*\(4, 2\), got .*\(3, 2\)"
    ):
        nn.load_weights(nn.Sequential(nn.Linear(4, 2)), tmp_path / "w")
    lenient = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    nn.load_weights(lenient, tmp_path / "w", strict=False)


def test_unbuilt_model_is_not_saved(tmp_path):
    with pytest.raises(GraphError, match=r"layer '0' \(Linear\).*build"):
        nn.save(nn.Sequential(nn.Linear(None, 3)), tmp_path / "m")
    assert not os.listdir(tmp_path)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"no file .*nowhere"):
        nn.load(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, 5, 200, -1])
def test_truncated_file(model, tmp_path, size):
    path = tmp_path / "m"
    nn.save(model, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match="is no safetensors file, or it is cut off"):
        nn.load(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"\x80\x04\x95 a pickle" * 9])
def test_foreign_file(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(DataError, match="is no safetensors file"):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "m")


def test_type_that_numpy_lacks(tmp_path):
    entry = {"weight": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    head = json.dumps(entry).encode()
    (tmp_path / "m").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
    with pytest.raises(DataError, match=r"bfloat16.*; convert its arrays to float32"):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "m")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("{not json", "the description is damaged"),
        (
            json.dumps({"class": "Liner"}),
            "unknown layer 'Liner'; did you mean 'Linear'",
        ),
        (json.dumps([]), "expected a dict"),
    ],
)
def test_foreign_description(tmp_path, description, message):
    save_file({"weight": np.zeros(3)}, tmp_path / "m", {"fastdl.model": description})
    with pytest.raises(FastdlError, match=message):
        nn.load(tmp_path / "m")


@pytest.mark.parametrize("step", ["save_file", "fsync", "replace"])
def test_a_crash_leaves_the_old_file(model, tmp_path, monkeypatch, step):
    path = tmp_path / "m"
    nn.save(model, path)
    before = path.read_bytes()
    model[5].bias.data[...] = 9

    def crash(*arguments):
        raise OSError("disk full")

    where = "safetensors.numpy" if step == "save_file" else "os"
    monkeypatch.setattr(f"{where}.{step}", crash)
    with pytest.raises(OSError, match="disk full"):
        nn.save(model, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]
