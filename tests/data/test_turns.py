"""Versions of the same examples, in turn."""

import numpy as np
import pytest

from fastdl.data import ArrayDataset, Augment, Concat, DataLoader, InTurn, Subset, split
from fastdl.errors import DataError

X = np.arange(6, dtype=np.float32)[:, np.newaxis]
Y = np.arange(6)


def versions(count=3):
    return InTurn(*((X + 10 * k, Y) for k in range(count)))


def first_inputs(data, epochs=5):
    loader = DataLoader(data, batch_size=4)
    return [next(iter(loader))[0][0, 0] for _ in range(epochs)]


def test_each_epoch_uses_the_next_version():
    """S32"""
    data = versions()
    assert first_inputs(data) == [0, 10, 20, 0, 10]
    loader = DataLoader(data, batch_size=4, shuffle=True, seed=1)
    for epoch in range(4):
        x, y = map(np.concatenate, zip(*loader.batches(epoch), strict=True))
        np.testing.assert_array_equal(x[:, 0], y + 10 * (epoch % 3))


def test_everything_else_sees_the_first():
    data = versions()
    assert len(data) == 6
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    np.testing.assert_array_equal(data[2][0], X[2])
    assert data.weight is None


@pytest.mark.parametrize(
    "data",
    [
        Subset(versions(), [1, 3]),
        split(versions(), (3, 3), seed=0)[0],
        Concat(versions(), (X, Y)),
        Subset(Concat((X, Y), versions()), slice(6, None)),
        InTurn(versions(3)),
    ],
)
def test_within_other_data_sets(data):
    first = first_inputs(data, 1)[0]
    assert first_inputs(data, 4) == [first, first + 10, first + 20, first]


def test_data_sets_without_versions_are_used_as_they_are():
    assert first_inputs(Concat((X, Y), Subset((X, Y), [1]))) == [0] * 5


def test_weights_go_along():
    weight = np.arange(1, 7.0)
    loader = DataLoader(InTurn(ArrayDataset(X, Y, weight), (X + 1, Y, weight)), 6)
    for _ in range(2):
        np.testing.assert_array_equal(next(iter(loader))[2], weight)


def test_transforms_come_after():
    pictures = np.zeros((2, 4, 4, 1), np.float32)
    loader = DataLoader(
        InTurn(pictures, pictures + 0.5), 2, transform=Augment(brightness=0.1)
    )
    means = [next(iter(loader))[0].mean() for _ in range(2)]
    assert means[0] < 0.2
    assert means[1] > 0.3


def test_lengths_that_differ():
    with pytest.raises(DataError, match="as many examples, got 5 and 6"):
        InTurn((X, Y), (X[:5], Y[:5]))
    with pytest.raises(DataError, match="got none"):
        InTurn()
