"""S19: examples that count more than others, through the Trainer."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import data, nn, optim
from fastdl import functional as F
from fastdl.data import ArrayDataset
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError
from fastdl.train import Trainer


def weighted(m=40):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(m, 2)).astype(np.float32)
    return x, (x[:, 0] > x[:, 1]).astype(int), rng.integers(0, 3, m).astype(np.float32)


def classifier(loss=None):
    fastdl.manual_seed(0)
    return Trainer(nn.Linear(2, 2), loss, partial(optim.SGD, lr=0.1))


def test_a_weight_is_like_so_many_copies():
    """S19: weight 2 is the example twice, weight 0 leaves it out."""
    x, y, weight = weighted()
    one, other = classifier(), classifier()
    one.fit((x, y, weight), epochs=5, batch_size=len(x))
    copies = np.repeat(np.arange(len(x)), weight.astype(int))
    other.fit((x[copies], y[copies]), epochs=5, batch_size=len(copies))
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-5)
    for name, array in other.model.state_dict().items():
        np.testing.assert_allclose(one.model.state_dict()[name], array, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [7, 64])
def test_weighted_loss_is_the_mean_by_weight_whatever_the_batches(batch_size):
    """S19: of `evaluate` and of validation; metrics count every example."""
    x, y, weight = weighted()
    one = classifier()
    one.fit((x, y), validation=ArrayDataset(x, y, weight))
    measured = one.evaluate((x, y, weight), batch_size=batch_size)
    losses = F.cross_entropy(one.model(x), y, "none").numpy()
    expected = (losses * weight).sum() / weight.sum()
    assert measured["loss"] == pytest.approx(expected, rel=1e-5)
    assert one.history["val_loss"][0] == pytest.approx(expected, rel=1e-5)
    assert measured["accuracy"] == one.evaluate((x, y))["accuracy"]


def test_weights_of_parts_and_of_shuffled_batches():
    """S19: each example keeps its own weight."""
    x = np.arange(30, dtype=np.float32)[:, np.newaxis]
    part, _ = data.split((x, None, x[:, 0] + 1), (0.7, 0.3))
    np.testing.assert_array_equal(part.weight, part.x[:, 0] + 1)
    for batch, _, weight in data.DataLoader(part, 4, shuffle=True):
        np.testing.assert_array_equal(weight, batch[:, 0] + 1)


def test_a_loss_of_ones_own_with_weights():
    """S19"""

    def loss(outputs, y, weight):
        return (F.cross_entropy(outputs, y, "none") * weight).sum() / weight.sum()

    x, y, weight = weighted()
    one, other = classifier(loss), classifier()
    for each in (one, other):
        each.fit((x, y, weight), epochs=3)
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones(39), ShapeError, "one weight for each of the 40 examples, got shape"),
        (np.ones((40, 1)), ShapeError, r"got shape \(40, 1\)"),
        (1.0, ShapeError, "weight needs rows"),
        (["heavy"] * 40, DtypeError, "weight needs numbers"),
        (np.r_[np.ones(7), -1, np.ones(32)], DataError, r"weight\[7\] is -1"),
        (np.r_[np.ones(7), np.nan, np.ones(32)], DataError, r"weight\[7\] is nan"),
        (np.zeros(40), DataError, "all weights are 0"),
    ],
    ids=["short", "column", "number", "text", "negative", "NaN", "zeros"],
)
def test_weights_that_do_not_fit(weight, error, message):
    """S19"""
    x, y, _ = weighted()
    with pytest.raises(error, match=message):
        classifier().fit((x, y, weight))
    with pytest.raises(error, match=message):
        classifier().fit((x, y), validation=(x, y, weight))


def test_a_loss_that_takes_no_weights():
    """S19"""
    x, y, weight = weighted()
    with pytest.raises(
        ArgumentError, match="have weights, but the loss <lambda> takes"
    ):
        classifier(lambda outputs, y: F.cross_entropy(outputs, y)).fit((x, y, weight))


def test_a_transform_that_drops_weighted_examples():
    loader = data.DataLoader(
        weighted(), 4, transform=lambda x, y, seeds: (x[1:], y[1:])
    )
    with pytest.raises(DataError, match="made 3 of 4 examples that have weights"):
        next(iter(loader))
