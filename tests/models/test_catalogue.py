"""What is said about the networks is true."""

import inspect

import pytest

from fastdl import models

# Multiply-adds as published, in millions, and where.
PUBLISHED = {
    "resnet18": (1814, "torchvision.models"),
    "resnet34": (3664, "torchvision.models"),
    "resnet50": (4089, "torchvision.models"),
    "resnet101": (7801, "torchvision.models"),
    "resnet20": (40.6, "Idelbayev, ResNet for CIFAR10"),
}


@pytest.mark.parametrize("name", models.CATALOGUE)
def test_sizes(name, counted):
    """S43: trainable parameters and multiply-adds, as published."""
    known = models.CATALOGUE[name]
    assert counted(name) == (known.parameters, known.multiply_adds)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_multiply_adds(name):
    millions, _ = PUBLISHED[name]
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
