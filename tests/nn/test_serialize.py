"""Files of models and weights."""

import errno
import json
import math
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastdl import backend, nn
from fastdl import functional as F
from fastdl.errors import (
    ArgumentError,
    DataError,
    FastdlError,
    GraphError,
    ShapeError,
)
from fastdl.files import replace, write_tensors

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
        ShapeError, match=r"(?s)/w: .*'0.weight': expected .*\(4, 2\), got .*\(3, 2\)"
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
    with pytest.raises(DataError, match="as a safetensors file, it may be cut off"):
        nn.load(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 a zip", "is a zip archive"),
        (b"\x80\x04\x95 a pickle" * 9, "is a pickle"),
        (b"nonsense" * 9, "cannot be read as a safetensors file"),
    ],
)
def test_foreign_file(tmp_path, content, reason):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "m")


def test_type_that_numpy_lacks(tmp_path):
    entry = {"weight": {"dtype": "F8_E5M2", "shape": [4], "data_offsets": [0, 4]}}
    head = json.dumps(entry).encode()
    (tmp_path / "m").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
    with pytest.raises(DataError, match=r"'F8_E5M2'.*; convert it to float32"):
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


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_crash_leaves_the_old_file(model, tmp_path, monkeypatch, step):
    path = tmp_path / "m"
    nn.save(model, path)
    before = path.read_bytes()
    model[5].bias.data[...] = 9

    def crash(*arguments):
        raise OSError(errno.ENOSPC, "disk full")

    where = replace._Raw if step == "write" else os
    monkeypatch.setattr(where, step, crash)
    with pytest.raises(OSError, match="disk full"):
        nn.save(model, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


def test_flipped_bits_are_noticed(model, tmp_path):
    path = tmp_path / "m"
    nn.save(model, path)
    whole = path.read_bytes()
    weights = 8 + int.from_bytes(whole[:8], "little")
    for place in (weights, (weights + len(whole)) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        for read in (nn.load, lambda path: nn.load_weights(model, path)):
            with pytest.raises(DataError, match=f"{path} is damaged: .*checksum"):
                read(path)


def described(path, description, **weights):
    """Write a file with any description of a model."""
    save_file(weights, path, {"fastdl.model": json.dumps(description)})


@pytest.mark.parametrize(
    "layer",
    [
        {"class": "Linear", "in_features": 10**6, "out_features": 10**6},
        {"class": "Linear", "in_features": 2**40, "out_features": 2**40},
        {"class": "Linear", "in_features": 10**400, "out_features": 2},
        {"class": "Conv2d", "in_channels": 3, "out_channels": 3, "kernel_size": 2**31},
        {
            "class": "Linear",
            "in_features": 10**5,
            "out_features": 10**5,
            "weight_init": "orthogonal",
        },
        {"class": "BatchNorm2d", "num_features": 10**11},
        {"class": "LayerNorm", "normalized_shape": [10**6, 10**5]},
        {"class": "GroupNorm", "num_groups": 1, "num_channels": 10**11},
        {"class": "Standardize", "num_features": 10**11},
    ],
    ids=lambda layer: f"{layer['class']}-{max(str(layer.values()))}",
)
def test_no_memory_for_weights_that_the_file_has_not(layer, tmp_path, monkeypatch):
    def take(shape, dtype):
        assert math.prod(shape) <= 2**20 + 4 * 7, "memory for weights that do not exist"
        return np.empty(shape, dtype)

    monkeypatch.setattr(backend, "empty", take)
    described(tmp_path / "m", {"class": "Sequential", "layers": [layer]}, w=np.ones(7))
    with pytest.raises(
        DataError, match=rf"{tmp_path / 'm'}: .*layers\.0\.{layer['class']}"
    ):
        nn.load(tmp_path / "m")


def test_layers_that_draw_more_than_they_save(tmp_path):
    @nn.register
    class Redrawn(nn.Module):
        def __init__(self, size):
            self.size = size
            self.linear = nn.Linear(size, size)
            self.linear.weight.data[...] = nn.init.glorot_normal((size, size), gain=2)
            self._table = nn.init.zeros((100, 100))

    model = nn.Sequential(Redrawn(2000))
    nn.save(model, tmp_path / "m")
    state = nn.load(tmp_path / "m").state_dict()
    np.testing.assert_array_equal(state["0.linear.bias"], np.zeros(2000))


def nested(depth):
    description = {"class": "ReLU"}
    for _ in range(depth):
        description = {"class": "Sequential", "layers": [description]}
    return description


@pytest.mark.parametrize(
    "description",
    [
        {"class": []},
        {"class": {"class": "ReLU"}},
        {"class": None},
        {"class": "Sequential", "layers": 3},
        {"class": "Sequential", "layers": {"class": "ReLU"}},
        {"class": "Sequential", "layers": [None]},
        {"class": "Sequential", "layers": [[{"class": "ReLU"}]]},
        {"class": "Sequential", "layers": {"class": "dict", "items": 3}},
        {"class": "Sequential", "layers": {"class": "dict", "items": [[[], 1]]}},
        {"class": "dict", "items": []},
        {"class": "ReLU", "self": 1},
        {"class": "Linear", "in_features": None, "out_features": 2},
        {"class": "Linear", "in_features": "2", "out_features": 2},
        {"class": "Linear", "in_features": 2, "out_features": 2, "weight_init": [[]]},
        {"class": "BatchNorm2d", "num_features": 2, "eps": math.nan},
        {"class": "BatchNorm2d", "num_features": 2, "momentum": "a"},
        {"class": "Dropout", "p": math.inf},
        {"class": "CrossEntropyLoss", "reduction": []},
        {"class": "CrossEntropyLoss", "class_weight": [[{"class": "ReLU"}]]},
        {"class": "MaxPool2d", "kernel_size": 10**300},
        nested(300),
    ],
    ids=lambda description: json.dumps(description)[:60],
)
def test_hostile_description(description, tmp_path):
    described(tmp_path / "m", description, w=np.ones(7))
    with pytest.raises(DataError, match=str(tmp_path / "m")):
        nn.load(tmp_path / "m")


def test_description_nested_beyond_the_stack(tmp_path):
    text = '{"class":[' * 50_000
    save_file({"w": np.ones(7)}, tmp_path / "m", {"fastdl.model": text})
    with pytest.raises(
        DataError, match=f"{tmp_path / 'm'}: the description is damaged"
    ):
        nn.load(tmp_path / "m")


def test_what_is_saved_can_be_loaded(tmp_path):
    """Modules that nest too deeply to be loaded are not saved."""
    model = nn.ReLU()
    for _ in range(30):
        model = nn.Sequential(model)
    nn.save(model, tmp_path / "m")
    assert repr(nn.load(tmp_path / "m")) == repr(model)
    for _ in range(300):
        model = nn.Sequential(model)
    with pytest.raises(FastdlError, match="nest deeper"):
        nn.save(model, tmp_path / "m")


def test_many_names_that_do_not_fit_are_cut(tmp_path):
    """A file says them, so a message could be as long as the file."""
    state = {f"other{i}": np.zeros(1, np.float32) for i in range(1000)}
    write_tensors(state, tmp_path / "a.safetensors", {})
    with pytest.raises(FastdlError, match="unexpected: 990 more") as caught:
        nn.load_weights(nn.Linear(2, 3), tmp_path / "a.safetensors")
    assert len(str(caught.value)) < 2000


def test_what_a_model_takes_and_gives_goes_along(model, tmp_path):
    """S32: the size of the input, and the names of the classes."""
    nn.save(model, tmp_path / "m")
    assert nn.load(tmp_path / "m").input_shape is None
    model.build((6, 6, 2))
    model.class_names = ["cat", "dog", "Käfer"]
    nn.save(model, tmp_path / "m")
    again = nn.load(tmp_path / "m")
    assert again.input_shape == (6, 6, 2)
    assert again.class_names == ("cat", "dog", "Käfer")
    assert again.summary() == model.summary()
    assert again.replace_head(4).class_names is None
    nn.save(again, tmp_path / "m")
    assert nn.load(tmp_path / "m").class_names is None


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ("[", "its use"),
        ("[]", "must be a JSON object"),
        ('{"class_names": "cat"}', "class_names must be texts"),
        ('{"class_names": [1]}', "class_names must be texts"),
        ('{"input_shape": [0]}', "input_shape must hold sizes, got 0"),
        ('{"input_shape": [true]}', "input_shape must hold sizes, got True"),
        ('{"input_shape": "8"}', "input_shape must hold sizes, got '8'"),
        ('{"input_shape": 8}', "input_shape must hold sizes, got 8"),
        ('{"input_shape": [null]}', "input_shape must hold sizes, got None"),
        ('{"input_shape": [[3], [8.0]]}', r"input_shape must hold sizes, got 8\.0"),
        ('{"class_names": []}', "class_names must be texts"),
    ],
)
def test_a_damaged_use(model, tmp_path, use, reason):
    metadata = {"fastdl.model": json.dumps(nn.to_config(model)), "fastdl.use": use}
    write_tensors(model.state_dict(), tmp_path / "m", metadata)
    with pytest.raises(DataError, match=reason):
        nn.load(tmp_path / "m")


@nn.register
class Open(nn.Module):
    """A class of one's own that leaves its input size open."""

    def __init__(self, units=4):
        self.units = units
        self.layer = nn.Linear(None, units)

    def forward(self, *x, **named):
        return self.layer(F.concatenate([*x, *named.values()], axis=1))


OPEN = {
    "one": (4,),
    "tuple": ((4,), (2,)),
    "dict": {"a": (4,), "b": (2,)},
}


@pytest.mark.parametrize("shape", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_class_with_an_open_size(shape, dtype, tmp_path):
    """It is built with the shape that was saved, before the weights are loaded."""
    model = Open()
    model.build(shape)
    nn.save(model.astype(dtype), tmp_path / "m")
    again = nn.load(tmp_path / "m")
    assert again.input_shape == shape
    assert again.layer.weight.dtype == dtype
    np.testing.assert_array_equal(again.layer.weight.data, model.layer.weight.data)


def test_a_class_with_an_open_size_inside_a_chain(tmp_path):
    model = nn.Sequential(nn.ReLU(), Open(), nn.Linear(None, 2))
    model.build((3,))
    nn.save(model, tmp_path / "m")
    x = np.ones((2, 3), np.float32)
    expected = model.eval()(x).numpy()
    np.testing.assert_array_equal(nn.load(tmp_path / "m")(x).numpy(), expected)


def test_an_open_size_and_no_shape(tmp_path):
    model = Open()
    model(np.ones((2, 3), np.float32))  # the model has not seen that shape
    nn.save(model, tmp_path / "m")
    with pytest.raises(DataError, match=r"of layer 'layer' .* has no input_shape"):
        nn.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ([2**14, 2**14, 3], "too large to build"),
        ([3, 3], "expected rows"),
        ([[4], [2, 2]], "concatenate"),
    ],
)
def test_an_open_size_and_a_shape_that_does_not_fit(shape, reason, tmp_path):
    model = Open()
    model.build((3,))
    metadata = {
        "fastdl.model": json.dumps(nn.to_config(model)),
        "fastdl.use": json.dumps({"input_shape": shape}),
    }
    write_tensors(model.state_dict(), tmp_path / "m", metadata)
    with pytest.raises(DataError, match=f"^{tmp_path / 'm'}: .*{reason}"):
        nn.load(tmp_path / "m")


@nn.register
class Failing(Open):
    def forward(self, x):
        raise KeyError("b")


def test_an_open_size_and_a_forward_that_fails(tmp_path):
    metadata = {
        "fastdl.model": json.dumps({"class": "Failing", "units": 4}),
        "fastdl.use": json.dumps({"input_shape": [3]}),
    }
    state = {"layer.weight": np.zeros((3, 4), np.float32)}
    write_tensors(state, tmp_path / "m", metadata)
    with pytest.raises(DataError, match="the model cannot be read: 'b'"):
        nn.load(tmp_path / "m")


# The names of the outputs


@pytest.mark.parametrize(
    "names",
    [[1, 2, 3], ["a", None, "c"], np.arange(3), 5, "abc", [], {"a"}],
    ids=repr,
)
def test_class_names_that_are_no_texts(model, names):
    with pytest.raises(ArgumentError, match=r"class_names must be texts.*str\(n\)"):
        model.class_names = names
    assert model.class_names is None


def test_class_names_of_another_number(model, tmp_path):
    """Found by build, so before a training, and at the latest by save."""
    model.build((6, 6, 2))
    model.class_names = ["a", "b"]
    with pytest.raises(ArgumentError, match="3 outputs, but class_names has 2"):
        nn.save(model, tmp_path / "m")
    with pytest.raises(ArgumentError, match="3 outputs, but class_names has 2"):
        model.build((6, 6, 2))
    model.class_names = np.array(["a", "b", "c"])
    assert model.class_names == ("a", "b", "c")
    nn.save(model, tmp_path / "m")


def test_the_names_of_a_yes_or_no_question(tmp_path):
    model = nn.Linear(2, 1)
    model.build((2,))
    model.class_names = ["cat", "dog"]
    nn.save(model, tmp_path / "m")
    assert nn.load(tmp_path / "m").class_names == ("cat", "dog")


def test_a_state_dict_is_no_model(tmp_path):
    state = nn.Linear(2, 3).state_dict()
    with pytest.raises(ArgumentError, match=r"^save: .*save_weights\(model, path\)"):
        nn.save(state, tmp_path / "weights")
