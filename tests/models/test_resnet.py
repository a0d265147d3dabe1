"""Residual networks."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import backend, models, nn, optim, random
from fastdl import functional as F
from fastdl.errors import ArgumentError
from fastdl.models import ResidualBlock

# in_channels, out_channels, stride, projection
BLOCKS = {
    "identity": (4, 4, 1, True),
    "identity without projection": (4, 4, 1, False),
    "projection of more channels": (3, 5, 1, True),
    "projection with stride": (4, 4, 2, True),
    "zeros for more channels": (3, 5, 1, False),
    "zeros with stride": (3, 6, 2, False),
}


def images(shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet20", 269_722),
        ("resnet32", 464_154),
        ("resnet18", 11_173_962),
        ("resnet34", 21_282_122),
    ],
)
def test_published_parameter_counts(name, parameters):
    """S43: 0.27 M, 0.46 M, 11.17 M and 21.28 M on CIFAR-10."""
    model = models.create(name)
    assert model.build((32, 32, 3)) == (10,)
    assert sum(parameter.size for parameter in model.parameters()) == parameters


@pytest.mark.parametrize("name", ["resnet20", "resnet32", "resnet18", "resnet34"])
def test_number_of_layers_with_weights(name):
    """The names count convolutions and the dense layer, not the projections."""
    model = models.create(name)
    counted = [
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in path
    ]
    assert len(counted) == int(name.removeprefix("resnet"))


@pytest.mark.parametrize("case", BLOCKS)
def test_gradients_of_a_block(case, check_gradients):
    """Finite differences through both branches, with the statistics of the batch."""
    block = ResidualBlock(*BLOCKS[case]).astype(np.float64)

    def run(x, conv1, norm2):
        # No assignment: it asks for a Parameter.
        vars(block.conv1)["weight"], vars(block.norm2)["weight"] = conv1, norm2
        return block(x)

    x = images((2, 4, 3, block.in_channels))
    gamma = 1 + 0.1 * images(block.out_channels)
    check_gradients(run, x, block.conv1.weight.data, gamma)


@pytest.mark.parametrize("training", [True, False])
def test_a_block_is_its_formula(training):
    """y = relu(x' + norm2(conv2(relu(norm1(conv1(x))))))."""
    block = ResidualBlock(3, 5, stride=2).train(training)
    x = images((4, 6, 6, 3), np.float32)
    y = block.norm2(block.conv2(F.relu(block.norm1(block.conv1(x)))))
    expected = F.relu(block.shortcut(x) + y)
    np.testing.assert_allclose(block(x).data, expected.data, 1e-5, 1e-6)


def test_a_block_in_training_fuses_without_being_asked(monkeypatch):
    fused = []
    forward = backend.batchnorm_forward

    def spy(*arrays, **options):
        fused.append((options["activation"], options["residual"] is not None))
        return forward(*arrays, **options)

    monkeypatch.setattr(backend, "batchnorm_forward", spy)
    ResidualBlock(3, 5, stride=2)(images((4, 6, 6, 3), np.float32))
    assert fused == [("relu", False), (None, False), ("relu", True)]


@pytest.mark.parametrize("case", BLOCKS)
def test_shape_halves_with_the_stride(case):
    in_channels, out_channels, stride, _ = BLOCKS[case]
    block = ResidualBlock(*BLOCKS[case])
    expected = (-(-7 // stride), -(-6 // stride), out_channels)
    assert block.build((7, 6, in_channels)) == expected


def test_a_block_that_computes_nothing_passes_its_input():
    """With norm2 at zero y = relu(x)."""
    block = ResidualBlock(4, 4)
    block.norm2.weight.data[:] = 0
    x = images((2, 5, 5, 4), np.float32)
    np.testing.assert_array_equal(block(x).data, np.maximum(x, 0))


def test_shortcut_without_parameters():
    """Option A: every second pixel, then channels of zeros."""
    block = ResidualBlock(2, 5, stride=2, projection=False)
    block.norm2.weight.data[:] = 0
    x = images((1, 4, 4, 2), np.float32)
    expected = np.zeros((1, 2, 2, 5), np.float32)
    expected[..., :2] = np.maximum(x[:, ::2, ::2], 0)
    np.testing.assert_array_equal(block(x).data, expected)
    names = [name for name, _ in block.named_parameters()]
    assert not any(name.startswith("shortcut") for name in names)


@pytest.mark.parametrize("projection", [True, False])
def test_saved_and_loaded(tmp_path, projection):
    random.seed(0)
    model = nn.Sequential(
        ResidualBlock(3, 4, stride=2, projection=projection), ResidualBlock(4, 4)
    )
    x = images((3, 6, 6, 3), np.float32)
    model(x)  # moves the running statistics
    model.eval()
    nn.save(model, tmp_path / "model.safetensors")
    loaded = nn.load(tmp_path / "model.safetensors").eval()
    assert repr(loaded) == repr(model)
    assert model(x).data.tobytes() == loaded(x).data.tobytes()


def test_resnet20_learns_a_batch():
    random.seed(0)
    model = models.create("resnet20", classes=3)
    x = images((6, 8, 8, 3), np.float32)
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


def test_fewer_channels_need_a_projection():
    with pytest.raises(ArgumentError, match="cannot become fewer; got 8 to 4"):
        ResidualBlock(8, 4, projection=False)
