"""EfficientNet, MBConv and squeeze-and-excitation."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import gradcheck, models, nn
from fastdl.errors import ShapeError
from fastdl.models import MBConv, SqueezeExcitation


def images(shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("efficientnet_b0", 5_288_548),
        ("efficientnet_b1", 7_794_184),
        ("efficientnet_b2", 9_109_994),
        ("efficientnet_b3", 12_233_232),
    ],
)
def test_published_parameter_counts(name, parameters, counted):
    """S43: 1,000 classes, as in torchvision."""
    assert counted(name)[0] == parameters


def test_names_are_torchvisions():
    model = models.efficientnet_b0(width_mult=0.25)
    model.build((32, 32, 3))
    names = [name for name, _ in model.named_parameters()]
    norm = ["weight", "bias"]
    assert names[:3] == ["features.0.0.weight", *(f"features.0.1.{n}" for n in norm)]
    block = "features.1.0.block"
    assert [name for name in names if name.startswith("features.1.")] == [
        *(f"{block}.0.0.weight", f"{block}.0.1.weight", f"{block}.0.1.bias"),
        *(f"{block}.1.fc1.weight", f"{block}.1.fc1.bias"),
        *(f"{block}.1.fc2.weight", f"{block}.1.fc2.bias"),
        *(f"{block}.2.0.weight", f"{block}.2.1.weight", f"{block}.2.1.bias"),
    ]
    assert "features.6.3.block.3.1.bias" in names
    assert names[-2:] == ["classifier.1.weight", "classifier.1.bias"]


def test_deeper_blocks_drop_more():
    """From 0 in the first to 0.2 * 15 / 16 in the last, linear in the number."""
    model = models.efficientnet_b0(width_mult=0.25)
    blocks = [module for module in model.modules() if isinstance(module, MBConv)]
    assert [block.drop for block in blocks] == pytest.approx(0.2 * np.arange(16) / 16)


def test_b3_is_b0_scaled():
    model = models.efficientnet_b3()
    stages = model.features[1:8]
    assert [len(stage) for stage in stages] == [2, 3, 3, 5, 5, 6, 2]
    assert [s[0].out_channels for s in stages] == [24, 32, 48, 96, 136, 232, 384]
    assert model.classifier[0].p == 0.3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("stride", "has_skip"), [(1, True), (2, False)])
def test_a_block_is_its_formula(training, stride, has_skip):
    block = MBConv(8, 8, 5, stride, expansion=3).train(training)
    x = images((3, 6, 6, 8))
    expand, depthwise, excite, project = block.block
    assert depthwise[0].groups == 24
    assert excite.squeezed == 2
    y = F.silu(depthwise[1](depthwise[0](F.silu(expand[1](expand[0](x))))))
    y = project[1](project[0](excite(y)))
    expected = y + x if has_skip else y
    np.testing.assert_allclose(block(x).data, expected.data, 1e-5, 1e-5)


def test_stochastic_depth_leaves_the_skip():
    """Some pictures pass as they are, in training only."""
    block = MBConv(4, 4, drop=0.5)
    x = images((64, 2, 2, 4))
    passed = (block(x).data == x).all(axis=(1, 2, 3))
    assert 10 < passed.sum() < 54
    assert not (block.eval()(x).data == x).all(axis=(1, 2, 3)).any()


def test_squeeze_and_excitation_is_its_formula():
    layer = SqueezeExcitation(6, 3)
    x = images((2, 4, 5, 6))
    mean = x.mean(axis=(1, 2))
    hidden = mean @ layer.fc1.weight.numpy()[0, 0] + layer.fc1.bias.numpy()
    hidden = hidden / (1 + np.exp(-hidden))
    scale = hidden @ layer.fc2.weight.numpy()[0, 0] + layer.fc2.bias.numpy()
    expected = x / (1 + np.exp(-scale))[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(layer(x).data, expected, 1e-5, 1e-6)


@pytest.mark.parametrize(
    "block",
    [
        lambda: SqueezeExcitation(4, 2),
        lambda: MBConv(4, 4, expansion=2),
        lambda: MBConv(4, 6, 5, stride=2, expansion=1),
    ],
)
def test_gradients_of_a_block(block):
    model = nn.Sequential(block(), nn.GlobalAvgPool2d())
    x, y = images((3, 5, 4, 4)), np.array([0, 1, 2])
    assert gradcheck(model, F.cross_entropy, x, y).ratio < 1e-7


def test_sizes_that_are_none():
    with pytest.raises(ShapeError, match="MBConv: kernel_size must be"):
        MBConv(4, 4, kernel_size=0)
    with pytest.raises(ShapeError, match="SqueezeExcitation: squeezed must be"):
        SqueezeExcitation(4, 0)
