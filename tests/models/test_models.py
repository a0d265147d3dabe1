"""Ready networks by name."""

import re

import numpy as np
import pytest

from fastdl import functional, models, optim, random
from fastdl.errors import ArgumentError

SHAPES = {  # the smallest sensible pictures
    "convnet": (8, 8, 1),
    "deep_convnet": (8, 8, 1),
    "digits_convnet": (8, 8, 1),
    "lenet5": (28, 28, 1),
    "logistic": (8, 8, 1),
    "mlp": (8, 8, 1),
    "s41": (39, 39, 3),
    "signs_convnet": (64, 64, 3),
    "strided_convnet": (8, 8, 1),
}


def count(model):
    return sum(parameter.size for parameter in model.parameters())


def test_names_are_sorted():
    assert models.names() == sorted(models.names())
    assert set(SHAPES) <= set(models.names())


@pytest.mark.parametrize("name", SHAPES)
def test_builds_and_learns_a_batch(name):
    random.seed(0)
    model = models.create(name, classes=3)
    assert model.build(SHAPES[name]) == (3,)
    rng = np.random.default_rng(0)
    x = rng.random((6, *SHAPES[name])).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1, 2])
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("logistic", 784 * 10 + 10),
        ("mlp", 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10),
        ("convnet", 320 + 18_496 + 7 * 7 * 64 * 10 + 10),
        ("lenet5", 61_706),
    ],
)
def test_parameter_counts_on_mnist(name, parameters):
    """S43: LeNet-5 has about 60,000."""
    model = models.create(name)
    model.build((28, 28, 1))
    assert count(model) == parameters


def test_lenet5_reads_32_pixels_without_padding():
    model = models.lenet5(padding=0)
    model.build((32, 32, 1))
    assert count(model) == 61_706


def test_logistic_regression_is_one_unit():
    """S01"""
    model = models.create("logistic", classes=1)
    assert model.build((12,)) == (1,)
    assert count(model) == 13


def test_options_reach_the_function():
    model = models.create("mlp", classes=2, hidden=(5,))
    model.build((3,))
    assert count(model) == 3 * 5 + 5 + 5 * 2 + 2


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("convnt", "convnet"),
        ("ResNet50", "resnet50"),
        ("resnet-101", "resnet101"),
        ("VGG16", "vgg16"),
        ("vgg_16_bn", "vgg16_bn"),
        ("AlexNet", "alexnet"),
        ("MobileNetV2", "mobilenet_v2"),
        ("mobilenetv2_100", "mobilenet_v2"),
        ("mobilenet", "mobilenet_v"),
        ("efficientnet-b0", "efficientnet_b0"),
        ("EfficientNetB3", "efficientnet_b3"),
        ("tf_efficientnet_b1", "efficientnet_b1"),
        ("LeNet", "lenet5"),
    ],
)
def test_unknown_name(name, near):
    """With a near match, also of other frameworks' spellings."""
    message = f"unknown model {name!r}; did you mean '{near}"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        models.create(name)


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg11", "resnet18", "resnet20", "mobilenet_v2"]
)
@pytest.mark.parametrize(
    "width_mult",
    [0, -1.0, float("nan"), float("inf"), 10**400, [1], "1", None],
    ids=lambda value: str(value)[:5],
)
def test_widths_that_are_none(name, width_mult):
    message = f"width_mult must be a number above 0, got {width_mult!r:.60}"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        models.create(name, width_mult=width_mult)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("resnet18", "width", "'resnet18' has no 'width'; did you mean 'width_mult'"),
        ("mlp", "width_mult", "'mlp' has no 'width_mult'; choose from 'hidden', "),
        ("unet", "clases", "'unet' has no 'clases'; did you mean 'classes'?"),
    ],
)
def test_unknown_options(name, option, message):
    with pytest.raises(ArgumentError, match=message):
        models.create(name, **{option: 2})


@pytest.mark.parametrize("depth_mult", [0, 1e9, 10**400, "1"], ids=lambda d: str(d)[:5])
def test_depths_that_are_none(depth_mult):
    with pytest.raises(ArgumentError, match="depth_mult must be a number above 0, at"):
        models.efficientnet_b0(depth_mult=depth_mult)


def test_the_largest_depth(monkeypatch):
    monkeypatch.setattr("fastdl.models.efficientnet._DEEPEST", 1.0)
    models.efficientnet_b0(depth_mult=1.0)
    with pytest.raises(ArgumentError, match=r"at most 1\.0, got 1\.1"):
        models.efficientnet_b0(depth_mult=1.1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mlp", {"hidden": 100}, r"hidden must be the units of each layer.* got 100"),
        ("mlp", {"norm": 3}, "unknown norm 3; choose from 'batch', 'layer'"),
        ("efficientnet_b0", {"drop_path": "a"}, r"drop_path must be a number in \[0, "),
        ("efficientnet_b0", {"drop_path": 1}, r"drop_path must be a number in \[0, 1"),
    ],
)
def test_options_of_another_kind(name, options, message):
    with pytest.raises(ArgumentError, match=message):
        models.create(name, **options)
