"""ResNet for pictures of 224 x 224 pixels."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import models, nn
from fastdl.errors import ShapeError

BLOCKS = {
    "resnet18": ((2, 2, 2, 2), 2),
    "resnet34": ((3, 4, 6, 3), 2),
    "resnet50": ((3, 4, 6, 3), 3),
    "resnet101": ((3, 4, 23, 3), 3),
}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
    ],
)
def test_published_parameter_counts(name, parameters, counted):
    """S43: 1,000 classes, as in torchvision."""
    assert counted(name)[0] == parameters


@pytest.mark.parametrize("name", BLOCKS)
def test_number_of_layers_with_weights(name):
    """The names count convolutions and the dense layer, not the projections."""
    model = models.create(name, width_mult=0.125)
    counted = [
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in path
    ]
    assert len(counted) == int(name.removeprefix("resnet"))


@pytest.mark.parametrize("name", BLOCKS)
def test_names_are_torchvisions(name):
    """In its order: those of a norm, of a block, of a stage."""
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    expected = ["conv1.weight", *(f"bn1.{each}" for each in norm)]
    stages, convolutions = BLOCKS[name]
    for stage, count in enumerate(stages, 1):
        for block in range(count):
            prefix = f"layer{stage}.{block}"
            for number in range(1, convolutions + 1):
                expected.append(f"{prefix}.conv{number}.weight")
                expected += [f"{prefix}.bn{number}.{each}" for each in norm]
            if block == 0 and (stage > 1 or convolutions == 3):
                expected.append(f"{prefix}.downsample.0.weight")
                expected += [f"{prefix}.downsample.1.{each}" for each in norm]
    expected += ["fc.weight", "fc.bias"]
    model = models.create(name, 3, width_mult=0.125)
    model.build((32, 32, 3))
    assert sorted(model.state_dict()) == sorted(expected)


def test_the_picture_shrinks_32_times():
    model = models.resnet18(width_mult=0.125)
    shapes = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(
            lambda layer, x, y, name=name: shapes.__setitem__(name, y.shape[1:3])
        )
    model.build((224, 224, 3))
    stages = {name: size[0] for name, size in shapes.items() if name[:-1] == "layer"}
    assert stages == {"layer1": 56, "layer2": 28, "layer3": 14, "layer4": 7}


def test_parts_are_attributes():
    model = models.resnet50(width_mult=0.125)
    assert model.layer4[0].conv2.stride == 2
    assert model.layer4[-1].downsample is None
    assert model.fc is model[-1]


def test_weights_start_as_torchvisions():
    weight = models.resnet18().layer1[0].conv1.weight.numpy()
    assert weight.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)


def test_wrong_channels():
    model = models.resnet18(width_mult=0.125)
    model.build((32, 32, 3))
    with pytest.raises(
        ShapeError, match=r"layer 'conv1' \(Conv2d\): conv2d: .*channels"
    ):
        model(np.zeros((1, 32, 32, 1), np.float32))
