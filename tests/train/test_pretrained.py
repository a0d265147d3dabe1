"""S32: a training that starts from trained weights."""

import hashlib
import json
import re

import numpy as np
import pytest

import fastdl
from fastdl import models, nn, train
from fastdl.cli import main
from fastdl.data import ArrayDataset
from fastdl.errors import ArgumentError, DataError
from fastdl.interop import save_torch_state
from fastdl.train import Job, Parts, Pretrained, open_run

pytestmark = pytest.mark.usefixtures("without_pictures")
QUICK = {"dataset": "digits", "model": "digits_convnet", "epochs": 1, "examples": 200}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The folder of a short run on digits; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = "train digits --model digits_convnet --epochs 1 --examples 500 --no-report"
    assert main([*argv.split(), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def parts():
    """Digits 0 to 2."""
    data = Job("digits").load()
    few = (
        ArrayDataset(part.x[rows], part.y[rows])
        for part in (data.train, data.dev, data.test)
        for rows in [np.flatnonzero(part.y < 3)[:60]]
    )
    return Parts("three", ("zero", "one", "two"), *few)


def job(source, **changes):
    return Job.from_dict(QUICK | {"pretrained": str(source)} | changes)


def weights(model):
    return {name: p.numpy() for name, p in model.named_parameters()}


def test_other_classes_get_a_new_head(source, parts):
    """S32"""
    trained = weights(open_run(source).model)
    model = job(source).trainer(parts).model
    own = weights(model)
    *others, weight, bias = trained
    for name in others:
        np.testing.assert_array_equal(own[name], trained[name])
    assert own[weight].shape == (trained[weight].shape[0], 3)
    assert own[bias].shape == (3,)
    assert model.class_names == parts.classes
    assert all(module.training for module in model.modules())


def test_the_same_classes_keep_the_head(source):
    first = job(source)
    own = weights(first.trainer(first.load()).model)
    for name, array in weights(open_run(source).model).items():
        np.testing.assert_array_equal(own[name], array)


def test_other_names_of_as_many_classes_get_a_new_head(source):
    data = Job("digits").load()._replace(classes=tuple("abcdefghij"))
    own = weights(job(source).trainer(data).model)
    trained = weights(open_run(source).model)
    name = list(own)[-2]
    assert own[name].shape == trained[name].shape
    assert (own[name] != trained[name]).any()


def test_freeze(source, parts):
    """S32"""

    def learning(freeze):
        model = job(source, freeze=freeze).trainer(parts).model
        return [n for n, p in model.named_parameters() if p.requires_grad]

    everything = learning(None)
    assert learning("all") == everything[-2:]
    assert learning("8") == [n for n in everything if int(n.partition(".")[0]) >= 8]


def test_a_layer_that_does_not_exist(source, parts):
    with pytest.raises(ArgumentError, match=r"freeze: until: there is no layer 'fc'"):
        job(source, freeze="fc").trainer(parts)


def test_the_same_settings_give_the_same_bits(source, parts):
    """S32: also after other random numbers were drawn."""
    results = []
    for seed in (1, 2):
        fastdl.manual_seed(seed)
        results.append(weights(job(source, freeze="all").fit(parts).model))
    for name, array in results[0].items():
        np.testing.assert_array_equal(results[1][name], array)
    other = weights(job(source, seed=1).trainer(parts).model)
    assert (other[list(other)[-2]] != results[0][list(other)[-2]]).any()


def test_the_checksum_of_the_weights_is_kept_and_compared(source, parts, tmp_path):
    """S32: a repeated run notices other weights."""
    first = job(source).pinned()
    file = source / "model.safetensors"
    assert first.pretrained_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert first.pinned() is first
    assert Job.from_dict(json.loads(json.dumps(first.to_dict()))) == first
    first.trainer(parts)
    other = tmp_path / "other.safetensors"
    nn.save(open_run(source).model.replace_head(10), other)
    with pytest.raises(DataError, match="is not what this training starts from: its"):
        first.replace(pretrained=str(other)).trainer(parts)


def test_a_resumed_run_notices_other_weights(source, parts, tmp_path):
    """S32"""
    path = tmp_path / "checkpoint"
    whole = weights(job(source, epochs=2, schedule="constant").fit(parts).model)
    job(source, epochs=1, schedule="constant").fit(parts, checkpoint=path)
    other = tmp_path / "other.safetensors"
    nn.save(open_run(source).model.replace_head(4), other)
    again = job(other, epochs=2, schedule="constant")
    with pytest.raises(ArgumentError, match="pretrained: "):
        again.fit(parts, checkpoint=path, resume=True)
    again = job(source, epochs=2, schedule="constant")
    own = weights(again.fit(parts, checkpoint=path, resume=True).model)
    for name, array in whole.items():
        np.testing.assert_array_equal(own[name], array)


def test_a_file_of_weights_alone(source, parts, tmp_path):
    path = tmp_path / "w.safetensors"
    trained = open_run(source).model
    nn.save_weights(trained, path)
    own = weights(job(path).trainer(parts).model)
    name = next(iter(own))
    np.testing.assert_array_equal(own[name], weights(trained)[name])
    assert not Pretrained(path).describes_model
    assert Pretrained(path).input_shape is None


@pytest.fixture
def resnets():
    """ResNets with torchvision's names, registered for the time of a test."""

    def small(classes=10):
        return nn.Sequential(
            {
                "conv1": nn.Conv2d(None, 4, 3, bias=False),
                "bn1": nn.BatchNorm2d(4),
                "relu": nn.ReLU(),
                "avgpool": nn.GlobalAvgPool2d(),
                "fc": nn.Linear(4, classes),
            }
        )

    models.register(small)
    yield small
    del models.registry._models["small"]


def test_weights_of_pytorch(resnets, tmp_path):
    """S32: with the normalisation of ImageNet, and always a new head."""
    path = tmp_path / "w.safetensors"
    source = resnets(1000)
    source.build((8, 8, 3))
    save_torch_state(source, path)
    rng = np.random.default_rng(0)
    data = ArrayDataset(rng.random((20, 8, 8, 3), np.float32), np.arange(20) % 2)
    parts = Parts("two", ("a", "b"), data, data, data)
    one = job(path, model="small", freeze="all", examples=None)
    model = one.trainer(parts).model
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = data.x.astype(np.float64)
    expected = source[:-1].eval()(((x - mean) / std).astype(np.float32))
    np.testing.assert_allclose(
        model[:-1].eval()(data.x).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6
    )
    learning = [n for n, p in model.named_parameters() if p.requires_grad]
    assert learning == ["fc.weight", "fc.bias"]
    again = one.trainer(parts).model
    np.testing.assert_array_equal(again.fc.weight.numpy(), model.fc.weight.numpy())
    nn.save(one.fit(parts).model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    assert loaded.class_names == ("a", "b")
    np.testing.assert_allclose(loaded.normalize.mean, mean, rtol=1e-6)
    with pytest.raises(DataError, match=r"(?s)does not fit 'mlp' for .*unexpected"):
        job(path, model="mlp", examples=None).trainer(parts)


def test_weights_of_another_architecture(source, parts, tmp_path):
    """S32"""
    path = tmp_path / "w.safetensors"
    nn.save_weights(open_run(source).model, path)
    message = r"does not fit 'mlp' for examples of shape \(8, 8, 1\); --model and"
    with pytest.raises(DataError, match=message):
        job(path, model="mlp").trainer(parts)
    path.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="cannot be read as a safetensors file"):
        job(path).trainer(parts)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("conv1.weight", np.nan, "values of 'conv1.weight' are NaN or infinite"),
        ("fc.bias", -np.inf, "values of 'fc.bias' are NaN or infinite"),
        ("bn1.running_var", -0.1, "values of 'bn1.running_var' are negative"),
    ],
)
def test_broken_weights(resnets, tmp_path, name, value, reason):
    """They are found in the file, and not in the first step."""
    path = tmp_path / "w.safetensors"
    source = resnets(2)
    source.build((8, 8, 3))
    state = source.state_dict()
    state[name].flat[-1] = value
    source.load_state_dict(state)
    save_torch_state(source, path)
    with pytest.raises(DataError, match=f"has broken weights: {re.escape(reason)}"):
        Pretrained(path)


def test_folders_and_files_that_are_no_source(tmp_path, parts):
    with pytest.raises(DataError, match="no file"):
        job(tmp_path / "none").trainer(parts)
    with pytest.raises(DataError, match="is no run folder"):
        job(tmp_path).trainer(parts)
    train.RunFolder(tmp_path).write_config({})
    with pytest.raises(DataError, match="has not come to its end"):
        job(tmp_path).trainer(parts)


def test_freezing_fresh_weights_is_a_mistake():
    with pytest.raises(ArgumentError, match="freeze is for trained weights"):
        Job.from_dict(QUICK | {"freeze": "all"})
    with pytest.raises(ArgumentError, match="pretrained must be a text"):
        Job.from_dict(QUICK | {"pretrained": 3})
