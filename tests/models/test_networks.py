"""The published networks in shrunken forms: they learn, and are saved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import models, nn, optim
from fastdl.errors import ShapeError

# The options, without anything random, and the side of the pictures.
SHRUNKEN = {
    "alexnet": ({"width_mult": 1 / 16, "dropout": 0.0}, 64),
    "vgg11": ({"width_mult": 1 / 16, "dropout": 0.0}, 32),
    "vgg11_bn": ({"width_mult": 1 / 16, "dropout": 0.0}, 32),
    "resnet18": ({"width_mult": 1 / 8}, 32),
    "resnet50": ({"width_mult": 1 / 8}, 32),
    "resnet20": ({}, 8),
    "mobilenet_v1": ({"width_mult": 1 / 4, "dropout": 0.0}, 32),
    "mobilenet_v2": ({"width_mult": 1 / 4, "dropout": 0.0}, 32),
    "efficientnet_b0": (
        {"width_mult": 1 / 4, "depth_mult": 1 / 2, "dropout": 0.0, "drop_path": 0.0},
        32,
    ),
}
# Deeper ones of the same code.
DEEPER = {
    **dict.fromkeys(("vgg13", "vgg16", "vgg19"), "vgg11"),
    **dict.fromkeys(("vgg13_bn", "vgg16_bn", "vgg19_bn"), "vgg11_bn"),
    **dict.fromkeys(("resnet32", "resnet44", "resnet56", "resnet110"), "resnet20"),
    **dict.fromkeys((f"efficientnet_b{n}" for n in (1, 2, 3)), "efficientnet_b0"),
    "resnet34": "resnet18",
    "resnet101": "resnet50",
}
networks = pytest.mark.parametrize(
    "name",
    [*SHRUNKEN, *(pytest.param(name, marks=pytest.mark.soak) for name in DEEPER)],
)


def shrink(name):
    """Return a small model with weights."""
    options, side = SHRUNKEN[DEEPER.get(name, name)]
    model = models.create(name, 4, **options)
    model.build((side, side, 3))
    return model


@pytest.fixture
def shrunken(name):
    fastdl.manual_seed(0)
    return shrink(name)


@pytest.fixture
def pictures(shrunken):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, *shrunken.input_shape)).astype(np.float32)
    return x, rng.integers(0, 4, 32)


@networks
def test_gradients(shrunken, pictures):
    """Of all parameters together: alone, those that a batch norm cancels are noise."""
    x, y = pictures
    check = fastdl.gradcheck(shrunken, F.cross_entropy, x[:4], y[:4], sample=1)
    assert check.ratio < 1e-5


@networks
def test_learns_32_pictures_by_heart(shrunken, pictures):
    """Noise with random labels, to 100 %."""
    x, y = pictures
    optimizer = optim.Adam(shrunken.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        logits = shrunken(x)
        if (logits.data.argmax(axis=1) == y).all():
            return
        F.cross_entropy(logits, y).backward()
        optimizer.step()
    pytest.fail("not learnt in 100 steps")


@networks
def test_saved_and_loaded(name, shrunken, pictures, tmp_path):
    x, _ = pictures
    shrunken(x)  # moves the running statistics
    before = shrunken.eval()(x[:2]).data
    nn.save(shrunken, tmp_path / "model.safetensors")
    whole = nn.load(tmp_path / "model.safetensors")
    nn.save_weights(shrunken, tmp_path / "weights.safetensors")
    fresh = shrink(name)
    nn.load_weights(fresh, tmp_path / "weights.safetensors")
    for twin in (whole, fresh.eval()):
        np.testing.assert_array_equal(twin(x[:2]).data, before)


@networks
def test_wrong_channels(shrunken, pictures):
    x, _ = pictures
    with pytest.raises(ShapeError, match=r"^layer '.*' \(Conv2d\): conv2d: .*channels"):
        shrunken(x[..., :1])


@pytest.mark.parametrize(
    ("name", "side", "layer"),
    [
        ("alexnet", 4, r"features\.0' \(Conv2d\): conv2d"),
        ("alexnet", 32, r"features\.12' \(MaxPool2d\): max_pool2d"),
        ("vgg11", 16, r"features\.20' \(MaxPool2d\): max_pool2d"),
    ],
)
def test_an_input_too_small(name, side, layer):
    """The error names the layer where the size runs out."""
    model = models.create(name, width_mult=1 / 16)
    with pytest.raises(ShapeError, match=f"^layer '{layer}: .*larger than"):
        model.build((side, side, 3))


# Two steps of Adam on two pictures of the published size; prints the peak of memory.
STEPS = """
import resource, sys
import numpy as np
from fastdl import functional as F, models, optim

name = sys.argv[1]
model = models.create(name)
model.build(models.CATALOGUE[name].input_shape)
optimizer = optim.Adam(model.parameters())
x = np.random.default_rng(0).random((2, *model.input_shape), np.float32)
for _ in range(2):
    optimizer.zero_grad()
    logits = model(x)
    if logits.ndim == 2:
        loss = F.cross_entropy(logits, np.array([0, 1]))
    else:  # of pixels
        loss = F.binary_cross_entropy_with_logits(logits, np.ones(logits.shape))
    loss.backward()
    assert all(np.isfinite(each.grad).all() for each in model.parameters())
    optimizer.step()
assert all(np.isfinite(each.numpy()).all() for each in model.parameters())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is in bytes")
@pytest.mark.parametrize("name", models.CATALOGUE)
def test_trains_at_its_published_size_within_6_gb(name):
    env = os.environ | {"PYTHONPATH": str(Path(fastdl.__file__).parents[1])}
    command = [sys.executable, "-c", STEPS, name]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 6e9
