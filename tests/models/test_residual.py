"""Residual blocks."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import backend, nn, random
from fastdl import functional as F
from fastdl.errors import ArgumentError, ShapeError
from fastdl.models import BasicBlock, Bottleneck, ResidualBlock

# The class, its arguments, and the channels of the output.
BLOCKS = {
    "identity": (ResidualBlock, (4, 4, 1, True), 4),
    "identity without projection": (ResidualBlock, (4, 4, 1, False), 4),
    "projection of more channels": (ResidualBlock, (3, 5, 1, True), 5),
    "projection with stride": (ResidualBlock, (4, 4, 2, True), 4),
    "zeros for more channels": (ResidualBlock, (3, 5, 1, False), 5),
    "zeros with stride": (ResidualBlock, (3, 6, 2, False), 6),
    "basic": (BasicBlock, (4, 4), 4),
    "basic with projection": (BasicBlock, (3, 4, 2), 4),
    "bottleneck": (Bottleneck, (8, 2), 8),
    "bottleneck of more channels": (Bottleneck, (3, 2), 8),
    "bottleneck with stride": (Bottleneck, (8, 2, 2), 8),
}
cases = pytest.mark.parametrize("case", BLOCKS)


def make(case):
    block, arguments, _ = BLOCKS[case]
    return block(*arguments)


def images(shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@cases
def test_gradients_of_a_block(case, check_gradients):
    """Finite differences through both branches, with the statistics of the batch."""
    block = make(case).astype(np.float64)
    parameters = dict(block.named_parameters())
    holders = {
        f"{path}.{name}": (module, name)
        for path, module in block.named_modules()
        for name, _ in module._own_parameters()
    }

    def run(x, *tensors):
        for name, tensor in zip(parameters, tensors, strict=True):
            module, attribute = holders[name]
            vars(module)[attribute] = tensor  # no assignment: it asks for a Parameter
        return block(x)

    x = images((2, 4, 3, block.in_channels))
    rng = np.random.default_rng(1)
    values = [each.data + 0.1 * rng.random(each.shape) for each in parameters.values()]
    check_gradients(run, x, *values)


@pytest.mark.parametrize("training", [True, False])
def test_a_block_is_its_formula(training):
    """y = relu(x' + norm2(conv2(relu(norm1(conv1(x))))))."""
    block = ResidualBlock(3, 5, stride=2).train(training)
    x = images((4, 6, 6, 3), np.float32)
    y = block.norm2(block.conv2(F.relu(block.norm1(block.conv1(x)))))
    expected = F.relu(block.shortcut(x) + y)
    np.testing.assert_allclose(block(x).data, expected.data, 1e-5, 1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_a_bottleneck_is_its_formula(training):
    block = Bottleneck(3, 2, stride=2).train(training)
    x = images((4, 6, 6, 3), np.float32)
    y = F.relu(block.bn1(block.conv1(x)))
    y = F.relu(block.bn2(block.conv2(y)))
    expected = F.relu(block.downsample(x) + block.bn3(block.conv3(y)))
    np.testing.assert_allclose(block(x).data, expected.data, 1e-5, 1e-6)


def test_the_stride_of_a_bottleneck_is_in_the_middle():
    block = Bottleneck(8, 2, stride=2)
    strides = [block.conv1.stride, block.conv2.stride, block.conv3.stride]
    assert strides == [1, 2, 1]
    assert block.downsample[0].stride == 2


def test_both_blocks_of_two_convolutions_compute_the_same():
    basic, residual = BasicBlock(3, 4, 2), ResidualBlock(3, 4, 2)
    values = residual.state_dict().values()
    basic.load_state_dict(dict(zip(basic.state_dict(), values, strict=True)))
    x = images((4, 6, 6, 3), np.float32)
    np.testing.assert_array_equal(basic(x).data, residual(x).data)


def test_a_block_in_training_fuses_without_being_asked(monkeypatch):
    fused = []
    forward = backend.batchnorm_forward

    def spy(*arrays, **options):
        fused.append((options["activation"], options["residual"] is not None))
        return forward(*arrays, **options)

    monkeypatch.setattr(backend, "batchnorm_forward", spy)
    ResidualBlock(3, 5, stride=2)(images((4, 6, 6, 3), np.float32))
    assert fused == [("relu", False), (None, False), ("relu", True)]


@cases
def test_shape_halves_with_the_stride(case):
    block = make(case)
    sizes = -(-7 // block.stride), -(-6 // block.stride)
    assert block.build((7, 6, block.in_channels)) == (*sizes, BLOCKS[case][2])


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


@cases
def test_saved_and_loaded(tmp_path, case):
    random.seed(0)
    model = nn.Sequential(make(case))
    x = images((3, 6, 6, model[0].in_channels), np.float32)
    model(x)  # moves the running statistics
    model.eval()
    nn.save(model, tmp_path / "model.safetensors")
    loaded = nn.load(tmp_path / "model.safetensors").eval()
    assert repr(loaded) == repr(model)
    assert model(x).data.tobytes() == loaded(x).data.tobytes()


def test_fewer_channels_need_a_projection():
    with pytest.raises(ArgumentError, match="cannot become fewer; got 8 to 4"):
        ResidualBlock(8, 4, projection=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "Bottleneck: in_channels must be"),
        ((4, 2.5), "Bottleneck: width must be"),
        ((4, 4, 0), "Bottleneck: stride must be"),
    ],
)
def test_sizes_that_are_none(arguments, message):
    with pytest.raises(ShapeError, match=message):
        Bottleneck(*arguments)
