"""Residual networks for small pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import models, nn, optim, random, train

# The number of layers with weights; the names count no projections.
LAYERS = {
    "resnet20": 20,
    "resnet32": 32,
    "resnet44": 44,
    "resnet56": 56,
    "resnet110": 110,
    "cifar_resnet18": 18,
    "cifar_resnet34": 34,
}
# Made by the code of November 2026, when `ResidualBlock` was the only block.
BEFORE = Path(__file__).parent / "before"


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("resnet20", 0.27),
        ("resnet32", 0.46),
        ("resnet44", 0.66),
        ("resnet56", 0.85),
        ("resnet110", 1.7),
    ],
)
def test_published_parameter_counts(name, millions, counted):
    """S43: table 6 of the paper."""
    digits = 1 if name == "resnet110" else 2
    assert round(counted(name)[0] / 1e6, digits) == millions


@pytest.mark.parametrize("name", LAYERS)
def test_number_of_layers_with_weights(name):
    model = models.create(name)
    counted = [
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in path
    ]
    assert len(counted) == LAYERS[name]


@pytest.mark.parametrize("name", LAYERS)
def test_width(name):
    """The channels stay multiples of 8."""
    model = models.create(name, classes=3, width_mult=0.5)
    model.build((8, 8, 3))
    channels = {m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)}
    cifar = name.startswith("cifar")
    assert channels == ({32, 64, 128, 256} if cifar else {8, 16, 32})
    assert model(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 3)


def test_resnet20_learns_a_batch():
    random.seed(0)
    model = models.create("resnet20", classes=3)
    x = np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1, 2])
    model.build(x.shape[1:])
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


# Files from before


def like_before():
    return nn.Sequential(
        *(nn.Conv2d(None, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        models.ResidualBlock(4, 4),
        models.ResidualBlock(4, 6, 2),
        models.ResidualBlock(6, 8, 2, projection=False),
        nn.GlobalAvgPool2d(),
        nn.Linear(8, 3),
    )


@pytest.fixture
def x():
    return np.random.default_rng(0).random((8, 6, 6, 3), np.float32)


def check_logits(model, x):
    logits = fastdl.Trainer(model).predict(x)
    np.testing.assert_allclose(logits, np.load(BEFORE / "logits.npy"), 1e-4, 1e-5)


def test_a_model_saved_before(x):
    check_logits(nn.load(BEFORE / "model.safetensors"), x)


def test_weights_saved_before(x):
    model = like_before()
    model.build((6, 6, 3))
    nn.load_weights(model, BEFORE / "weights.safetensors")
    check_logits(model, x)


def test_a_checkpoint_saved_before(x, tmp_path):
    """It is of the same training: nothing differs that `fit` compares."""
    path = shutil.copy(BEFORE / "checkpoint.safetensors", tmp_path)
    trainer = fastdl.Trainer(like_before())
    y = np.arange(8) % 3
    trainer.fit(
        (x, y),
        validation=(x, y),
        epochs=2,
        batch_size=4,
        progress=False,
        checkpoint=path,
        resume=True,
        callbacks=[train.EarlyStopping(patience=5)],
    )
    assert len(trainer.history.rows) == 2
    check_logits(trainer.model, x)
