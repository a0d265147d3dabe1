"""What is said about the networks is true."""

import inspect
import re
from pathlib import Path

import pytest

from fastdl import models

PAGE = Path(__file__).parents[2] / "docs" / "models.md"

# Multiply-adds as published, in millions. Of the ImageNet networks the figures in the
# documentation of torchvision's weights (GFLOPS there), unless the paper has a sharper
# one: MobileNet (Howard et al. 2017, table 4), MobileNetV2 (Sandler et al. 2018, table
# 4), EfficientNet-B2 at its size of picture (Tan, Le 2019, table 2).
PUBLISHED = {
    "alexnet": 714,
    "vgg11": 7609,
    "vgg13": 11308,
    "vgg16": 15470,
    "vgg19": 19632,
    "resnet18": 1814,
    "resnet34": 3664,
    "resnet50": 4089,
    "resnet101": 7801,
    "mobilenet_v1": 569,
    "mobilenet_v2": 300,
    "efficientnet_b0": 386,
    "efficientnet_b2": 1000,
    "efficientnet_b3": 1827,
}


@pytest.mark.parametrize("name", models.CATALOGUE)
def test_sizes(name, counted):
    """S43: trainable parameters and multiply-adds, as published."""
    known = models.CATALOGUE[name]
    assert counted(name) == (known.parameters, known.multiply_adds)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_multiply_adds(name):
    millions = PUBLISHED[name]
    assert models.CATALOGUE[name].multiply_adds == pytest.approx(
        1e6 * millions, rel=0.01
    )


def test_every_model_of_fastdl_has_a_row_in_order():
    ours = [
        name
        for name in models.names()
        if inspect.getmodule(getattr(models, name, None)) is not None
    ]
    assert sorted(models.CATALOGUE) == ours


@pytest.mark.parametrize("name", models.CATALOGUE)
def test_classes_are_the_default(name):
    default = inspect.signature(getattr(models, name)).parameters["classes"].default
    assert default == models.CATALOGUE[name].classes


def test_the_page_has_the_table():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M)
    table = {name: cells.split(" | ") for name, cells in rows}
    assert {name: table[name] for name in models.CATALOGUE} == {
        name: [
            "x".join(map(str, known.input_shape)),
            *(f"{n:,}" for n in (known.classes, known.parameters, known.multiply_adds)),
            known.source,
        ]
        for name, known in models.CATALOGUE.items()
    }
