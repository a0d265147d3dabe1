"""S32: the features of a frozen trunk are computed once, and the head learns."""

import copy
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import nn, optim
from fastdl.data import ArrayDataset, Augment, DataLoader
from fastdl.errors import ArgumentError, GraphError, ShapeError
from fastdl.train import FrozenTrunk, Trainer

RNG = np.random.default_rng(0)
X = RNG.random((24, 8, 8, 1), np.float32)
Y = np.arange(24) % 3
SGD = partial(optim.SGD, lr=0.1)


def network():
    fastdl.manual_seed(0)
    return nn.Sequential(
        {
            "features": nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
            ),
            "pool": nn.Sequential(nn.GlobalAvgPool2d(), nn.Dropout(0.5)),
            "classifier": nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)),
        }
    )


def trained():
    model = network()
    Trainer(model, optimizer=SGD).fit(X, Y, batch_size=8)  # moves the running values
    return model


@pytest.mark.parametrize(
    "until",
    ["classifier", "pool", "features.1", "features.2", "features.3", "classifier.2"],
)
def test_the_head_of_the_trunk_is_the_model(until):
    model = trained()
    frozen = FrozenTrunk(model, until)
    expected = Trainer(model).predict(X)
    features = frozen.features((X, Y), batch_size=7)
    np.testing.assert_allclose(
        Trainer(frozen.head).predict(features), expected, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(features.y, Y)


def test_training_the_head_is_training_the_model_with_a_frozen_trunk():
    """S32"""
    slow, fast = trained(), trained()
    slow.freeze(until="classifier")
    augment = Augment(translate=1)
    loader = partial(DataLoader, batch_size=8, shuffle=True, seed=3)
    Trainer(slow, optimizer=SGD).fit(loader((X, Y), transform=augment), epochs=3)
    frozen = FrozenTrunk(fast, "classifier")
    before = copy.deepcopy(frozen.trunk.state_dict())
    features = frozen.features((X, Y), augment, copies=3, seed=3)
    Trainer(frozen.head, optimizer=SGD).fit(loader(features), epochs=3)
    for name, array in slow.state_dict().items():
        np.testing.assert_allclose(fast.state_dict()[name], array, rtol=1e-4, atol=1e-6)
    for name, array in frozen.trunk.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_copies_are_the_epochs_of_a_loader():
    frozen = FrozenTrunk(trained(), "classifier")
    augment = Augment(translate=2)
    features = frozen.features((X, Y), augment, copies=2, seed=5)
    loader = DataLoader((X, Y), 24, seed=5, transform=augment)
    for k in range(2):
        x, _ = next(iter(loader))
        own = frozen.trunk.eval()(x).numpy()
        np.testing.assert_allclose(features.datasets[k].x, own, rtol=1e-5)
    assert (features.datasets[0].x != features.datasets[1].x).any()


def test_layers_are_shared_and_only_the_trunk_is_frozen():
    model = network()
    frozen = FrozenTrunk(model, "classifier.2")
    assert frozen.trunk[0] is model.features
    assert frozen.head[0][0] is model.classifier[2]
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert learning == ["classifier.2.weight", "classifier.2.bias"]
    assert len(model) == 3
    assert len(model.classifier) == 3


def test_labels_weights_and_bytes():
    frozen = FrozenTrunk(network(), "classifier")
    weight = np.arange(24.0)
    pictures = (X * 255).astype(np.uint8)
    features = frozen.features(ArrayDataset(pictures, Y, weight))
    np.testing.assert_array_equal(features.weight, weight)
    plain = frozen.features(pictures / np.float32(255))
    np.testing.assert_allclose(features.x, plain.x, rtol=1e-6)
    assert plain.y is None


def test_resumed_head_is_uninterrupted(tmp_path):
    def go(epochs, path, resume=False, copies=2):
        frozen = FrozenTrunk(trained(), "classifier")
        features = frozen.features((X, Y), Augment(translate=1), copies=copies)
        Trainer(frozen.head, optimizer=SGD).fit(
            features, epochs=epochs, batch_size=8, checkpoint=path, resume=resume
        )
        return frozen.head.state_dict()

    whole = go(4, tmp_path / "a")
    go(3, tmp_path / "b")
    with pytest.raises(ArgumentError, match="data"):
        go(4, tmp_path / "b", resume=True, copies=3)
    again = go(4, tmp_path / "b", resume=True)
    for name, array in whole.items():
        np.testing.assert_array_equal(again[name], array)


class Block(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return x + self.bn(self.conv(x))


class Twice(nn.Sequential):
    def forward(self, x):
        return super().forward(super().forward(x))


def test_a_model_that_is_no_chain_there():
    model = nn.Sequential(nn.Conv2d(1, 4, 1), Block(), Twice(nn.Conv2d(4, 4, 1)))
    with pytest.raises(
        ArgumentError, match=r"before '1.bn': layer '1' \(Block\) is no chain"
    ):
        FrozenTrunk(model, "1.bn")
    with pytest.raises(ArgumentError, match=r"layer '2' \(Twice\) is no chain"):
        FrozenTrunk(model, "2.0")
    with pytest.raises(ArgumentError, match="before 'conv': Block is no chain"):
        FrozenTrunk(Block(), "conv")
    assert all(p.requires_grad for p in model.parameters())
    FrozenTrunk(model, "2")


def test_names_sizes_and_numbers_that_do_not_fit():
    model = network()
    with pytest.raises(ArgumentError, match="did you mean 'classifier'"):
        FrozenTrunk(model, "clasifier")
    with pytest.raises(ArgumentError, match="no layer before 'features' has weights"):
        FrozenTrunk(model, "features")
    with pytest.raises(GraphError, match="build"):
        FrozenTrunk(nn.Sequential(nn.Linear(None, 3), nn.Linear(3, 3)), "1")
    frozen = FrozenTrunk(model, "classifier")
    with pytest.raises(ArgumentError, match="all copies are the same"):
        frozen.features((X, Y), copies=2)
    with pytest.raises(ShapeError, match="copies"):
        frozen.features((X, Y), Augment(flip=0.5), copies=0)


@pytest.mark.parametrize("y", [Y, {"a": Y}], ids=["array", "dict"])
def test_labels_in_second_place(y):
    frozen = FrozenTrunk(network(), "classifier")
    with pytest.raises(ArgumentError, match=r"second place is for transform.*\(\(x, y"):
        frozen.features(X, y)
