"""AlexNet and VGG."""

from __future__ import annotations

import pytest

from fastdl import models, nn


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("alexnet", 61_100_840),
        ("vgg11", 132_863_336),
        ("vgg13", 133_047_848),
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("vgg16_bn", 138_365_992),
    ],
)
def test_published_parameter_counts(name, parameters, counted):
    """S43: 1,000 classes, as in torchvision."""
    assert counted(name)[0] == parameters


@pytest.mark.parametrize("layers", [11, 13, 16, 19])
@pytest.mark.parametrize("norm", ["", "_bn"])
def test_number_of_layers_with_weights(layers, norm):
    model = models.create(f"vgg{layers}{norm}", width_mult=1 / 16)
    kinds = [type(module) for module in model.modules()]
    convolutions = kinds.count(nn.Conv2d)
    assert convolutions + kinds.count(nn.Linear) == layers
    assert kinds.count(nn.BatchNorm2d) == (convolutions if norm else 0)


@pytest.mark.parametrize(
    ("name", "side", "convolutions", "dense"),
    [
        ("alexnet", 64, (0, 3, 6, 8, 10), (1, 4, 6)),
        ("vgg11", 32, (0, 3, 6, 8, 11, 13, 16, 18), (0, 3, 6)),
        ("vgg11_bn", 32, (0, 4, 8, 11, 15, 18, 22, 25), (0, 3, 6)),
    ],
)
def test_names_are_torchvisions(name, side, convolutions, dense):
    model = models.create(name, width_mult=1 / 16)
    model.build((side, side, 3))
    weights = [name for name in model.state_dict() if name.endswith(".weight")]
    step = 2 if "_bn" in name else 1  # a norm has a weight too
    assert weights[: step * len(convolutions) : step] == [
        f"features.{number}.weight" for number in convolutions
    ]
    assert weights[step * len(convolutions) :] == [
        f"classifier.{number}.weight" for number in dense
    ]


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_pictures_of_other_sizes_fit(name):
    """The features are averaged to the size that the dense layers know."""
    model = models.create(name, 7, width_mult=1 / 16)
    for shape in [(224, 224, 3), (130, 97, 3)]:
        assert model.build(shape) == (7,)
