"""Several data sets as one: what two sources of S24 are trained on."""

import numpy as np
import pytest

from fastdl import Trainer, nn
from fastdl.data import ArrayDataset, Concat, DataLoader, Subset, as_dataset
from fastdl.data.dataset import take_real
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError


class Squares:
    """Examples one at a time, whose labels nobody may ask for as a whole."""

    def __init__(self, count):
        self.count, self.asked = count, 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.asked += 1
        return np.full(3, index**2, np.float32), index


def arrays(*sizes, features=3):
    """Return data sets whose x and y both tell the example's place in all."""
    ends = np.cumsum(sizes)
    for end, size in zip(ends, sizes, strict=True):
        y = np.arange(end - size, end)
        x = np.repeat(y[:, np.newaxis], features, axis=1).astype(np.float32)
        yield ArrayDataset(x, y)


def test_examples_stand_one_after_the_other():
    whole = Concat(*arrays(5, 1, 4))
    assert len(whole) == 10
    np.testing.assert_array_equal(whole.y, np.arange(10))
    order = np.array([9, 0, 5, 5, 4, 6])
    x, y = whole.take(order)
    np.testing.assert_array_equal(y, order)
    np.testing.assert_array_equal(x[:, 0], order)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert whole.weight is None
    np.testing.assert_array_equal(whole.x[:, 1], np.arange(10))
    x, y = whole[7]
    assert (x.tolist(), y) == ([7.0] * 3, 7)
    assert whole[2:4][1].tolist() == [2, 3]
    assert whole.take(np.arange(0))[0].shape == (0, 3)


@pytest.mark.parametrize("wrong", [[10], [-1], [0.5], [[1]]], ids=str)
def test_places_that_are_not_there(wrong):
    with pytest.raises((ArgumentError, DtypeError, ShapeError), match="Concat"):
        Concat(*arrays(5, 5)).take(np.array(wrong))


def test_every_example_comes_once_an_epoch():
    parts = [Subset(each, slice(None, None, 2)) for each in arrays(7, 8)]
    loader = DataLoader(Concat(*parts), 4, shuffle=True, workers=2)
    seen = np.concatenate([y for _, y in loader])
    assert sorted(seen) == [0, 2, 4, 6, 7, 9, 11, 13]


def test_pictures_of_bytes_beside_real_ones():
    """Each is scaled by its own rule, whichever stands first, and parts of it."""
    bytes_ = np.full((2, 3, 3, 1), 255, np.uint8)
    reals = np.full((2, 3, 3, 1), 0.5, np.float32)
    for sources in ((bytes_, reals), (reals, bytes_)):
        whole = Concat(*((x, np.arange(2)) for x in sources))
        for dataset in (whole, Subset(whole, slice(None))):
            x, _, _ = take_real(dataset, np.arange(4))
            assert x.dtype == np.float32
            expected = [1 if source is bytes_ else 0.5 for source in sources]
            np.testing.assert_array_equal(x[::2, 0, 0, 0], expected)


def test_tables_of_bytes_stay_bytes():
    table = np.arange(6, dtype=np.uint8).reshape(3, 2)
    x, _ = Concat(table, table).take(np.array([5]))
    assert (x.dtype, x.tolist()) == (np.uint8, [[4, 5]])


def test_an_autoencoder_gets_pictures_twice():
    x = np.full((2, 2, 2, 1), 255, np.uint8)
    _, y = Concat((x, x), (x, x)).take(np.arange(4))
    assert y.max() == 1


def test_weights_of_some_are_1_for_the_others():
    plain, _ = arrays(3, 1)
    weighted = ArrayDataset(plain.x, plain.y, [0.5, 2, 0])
    whole = Concat(plain, weighted)
    np.testing.assert_array_equal(whole.weight, [1, 1, 1, 0.5, 2, 0])
    _, _, weight = whole.take(np.array([4, 0]))
    np.testing.assert_array_equal(weight, [2, 1])
    for _, y, weight in DataLoader(Subset(whole, [5, 3, 1]), 3):
        np.testing.assert_array_equal(y, [2, 0, 1])
        np.testing.assert_array_equal(weight, [0, 0.5, 1])


def test_labels_are_asked_for_only_when_wanted():
    items = Squares(50)
    whole = as_dataset(Concat(Concat(items), next(arrays(2))))
    whole.take(np.array([3, 51]))
    assert items.asked < 10
    assert whole.y.tolist() == [*range(50), 0, 1]


def test_without_labels():
    whole = Concat(np.zeros((2, 3)), np.ones((1, 3)))
    x, y = whole.take(np.array([2, 0]))
    assert (x[:, 0].tolist(), y, whole.y) == ([1, 0], None, None)


def test_a_network_trains_on_two_sources():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    whole = Concat((x[:150], y[:150]), (x[150:].astype(np.float64), y[150:]))
    trainer = Trainer(nn.Linear(2, 2))
    trainer.fit(whole, epochs=30, batch_size=20)
    assert trainer.evaluate(whole)["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        ((), DataError, "no data set"),
        ((np.zeros((2, 3)), np.zeros((0, 3))), DataError, "data set 1 is empty"),
        ((np.zeros((2, 3)), np.zeros((2, 4))), ShapeError, r"1 has shape \(4,\)"),
        ((np.zeros((2, 3)), (np.zeros((2, 3)), [0, 1])), DataError, "1 has a y"),
        (((np.zeros((2, 3)), [0, 1]), np.zeros((2, 3))), DataError, "1 has no y"),
        (
            ((np.zeros(2), [0, 1]), (np.zeros(2), [0.0, 1.0])),
            DtypeError,
            "y of data set 1 is float64",
        ),
        (
            ((np.zeros(2), [0, 1]), (np.zeros(2), [[0], [1]])),
            ShapeError,
            r"y of an example of data set 1 has shape \(1,\)",
        ),
        ((np.zeros(2), [1, 2]), DataError, "list"),
    ],
    ids=str,
)
def test_data_sets_that_do_not_fit(sources, error, message):
    with pytest.raises(error, match=message):
        Concat(*sources)


def test_labels_of_uint64_stay_integers():
    x = np.zeros((2, 1))
    both = Concat((x, np.array([0, 1], np.uint64)), (x, np.array([1, 2])))
    assert both.y.dtype == both.take(np.arange(2))[1].dtype == np.int64
    assert both.y.tolist() == [0, 1, 1, 2]
