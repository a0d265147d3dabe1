"""Names and shapes of weights are those of torchvision, known without it."""

import hashlib

import pytest

from fastdl import models
from fastdl.interop.layout import layouts

# Of torchvision 0.28: how many entries, and a digest of their names and shapes.
TORCHVISION = {
    "alexnet": (16, "935c1ea73a7869ee"),
    "vgg11_bn": (62, "56ed5816909a8132"),
    "resnet18": (122, "5191d63ec3989592"),
    "resnet50": (320, "a87e91cd6bd1f939"),
    "mobilenet_v2": (314, "e3eb10f890f74c6e"),
    "efficientnet_b0": (360, "98a6d92c040c4bca"),
}
LARGE = ("alexnet", "vgg11_bn")  # half a gigabyte of weights


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.soak if name in LARGE else ())
        for name in TORCHVISION
    ],
)
def test_names_and_shapes(name):
    """S43: files of torchvision fit as they are."""
    model = models.create(name, classes=1000)
    model.build((64, 64, 3))
    lines = sorted(f"{n} {each.torch_shape}" for n, each in layouts(model).items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert (len(lines), digest[:16]) == TORCHVISION[name]
