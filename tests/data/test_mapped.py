"""Data sets with ``__len__`` and ``__getitem__``, as users of PyTorch write them."""

import threading

import numpy as np
import pytest

import fastdl
from fastdl import data, nn, train
from fastdl.data import ArrayDataset, DataLoader, MapDataset, Subset
from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    NonFiniteError,
    ShapeError,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2)).astype(np.float32)
Y = np.arange(30) % 3
WEIGHT = RNG.integers(0, 3, 30).astype(np.float64)


class Items:
    """Gives the rows of arrays; counts how often each was asked for."""

    def __init__(self, *arrays):
        self.arrays = arrays
        self.asked = np.zeros(len(arrays[0]), int)
        self.lock = threading.Lock()

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, index):
        assert type(index) is int  # as PyTorch gives them
        with self.lock:
            self.asked[index] += 1
        return tuple(array[index] for array in self.arrays)


class Alone(Items):
    """Items that are x, not in a tuple."""

    def __getitem__(self, index):
        return super().__getitem__(index)[0]


class Given:
    """Gives the items of a list."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def trainer():
    fastdl.manual_seed(0)
    return train.Trainer(nn.Linear(2, 3))


# Equal to arrays ----------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("arrays", [(X, Y), (X, Y, WEIGHT)], ids=["x y", "weights"])
def test_the_loader_gives_what_it_gives_of_arrays(arrays, workers):
    options = {"batch_size": 7, "shuffle": True, "workers": workers}
    batches = list(DataLoader(Items(*arrays), **options))
    expected = list(DataLoader(arrays, **options))
    assert len(batches) == len(expected) == 5
    for batch, other in zip(batches, expected, strict=True):
        assert len(batch) == len(other)
        for one, two in zip(batch, other, strict=True):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two)


def test_a_subclass_of_the_protocol():
    """As users of PyTorch write them all."""

    class Mine(data.Dataset):
        def __len__(self):
            return 30

        def __getitem__(self, index):
            return X[index], Y[index]

    x, y = next(iter(DataLoader(Mine(), 30)))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    part, _ = data.random_split(Mine(), [20, 10])
    assert len(part) == 20
    fastdl.Trainer(nn.Linear(2, 3)).fit(Mine(), epochs=1)


@pytest.mark.parametrize("items", [Items(X), Alone(X)], ids=["tuple", "x"])
def test_inputs_alone(items):
    for x, y in DataLoader(items, 30):
        np.testing.assert_array_equal(x, X)
        assert y is None
    np.testing.assert_array_equal(trainer().predict(items), trainer().predict(X))
    with pytest.raises(DataError, match="training data have no labels"):
        trainer().fit(items)


@pytest.mark.parametrize("arrays", [(X, Y), (X, Y, WEIGHT)], ids=["x y", "weights"])
def test_fit_evaluate_predict(arrays):
    one, other = trainer(), trainer()
    one.fit(Items(*arrays), epochs=3, batch_size=8, validation=Items(*arrays))
    other.fit(arrays, epochs=3, batch_size=8, validation=arrays)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert one.history[name] == other.history[name]
    assert one.evaluate(Items(*arrays)) == other.evaluate(arrays)
    np.testing.assert_array_equal(one.predict(Items(*arrays)), other.predict(X))


@pytest.mark.parametrize("stratify", [False, True])
def test_split(stratify):
    parts = data.split(Items(X, Y, WEIGHT), (0.6, 0.4), stratify=stratify)
    expected = data.split((X, Y, WEIGHT), (0.6, 0.4), stratify=stratify)
    for part, other in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part.x, other.x)
        np.testing.assert_array_equal(part.y, other.y)
        np.testing.assert_array_equal(part.weight, other.weight)
    one, other = trainer(), trainer()
    one.fit(parts[0], epochs=2, validation=parts[1])
    other.fit(expected[0], epochs=2, validation=expected[1])
    assert one.history["val_loss"] == other.history["val_loss"]


def test_one_example_of_a_part():
    part = Subset(Items(X, Y), [5, 3, 1])
    x, y = part[1]
    np.testing.assert_array_equal(x, X[3])
    assert y == Y[3]


def test_pictures_are_scaled():
    pictures = RNG.integers(0, 256, (6, 4, 4, 1), np.uint8)
    ((x, _),) = DataLoader(Items(pictures, np.arange(6)), 6)
    np.testing.assert_array_equal(x, pictures / np.float32(255))
    fitted = nn.Standardize.fit(Items(pictures, np.arange(6)))
    np.testing.assert_allclose(fitted.mean, (pictures / 255).mean(), rtol=1e-5)


def test_an_autoencoder():
    pictures = RNG.integers(0, 256, (6, 4, 4, 1), np.uint8)
    losses = []
    for source in (Items(pictures, pictures), (pictures, pictures)):
        fastdl.manual_seed(0)
        one = train.Trainer(nn.Conv2d(1, 1, 3, padding=1), nn.MSELoss())
        losses.append(one.fit(source)["loss"])
    assert losses[0] == losses[1]


def test_lists_and_numbers_in_tuples():
    items = Given(([0.5, 1.0], 1), ([1.5, 2.0], 0))
    ((x, y),) = DataLoader(items, 2)
    np.testing.assert_array_equal(x, [[0.5, 1.0], [1.5, 2.0]])
    np.testing.assert_array_equal(y, [1, 0])


def test_y_of_none():
    ((x, y),) = DataLoader(Given((X[0], None), (X[1], None)), 2)
    assert y is None
    assert x.shape == (2, 2)


def test_a_list_of_examples():
    examples = list(zip(X, Y, strict=True))
    ((x, y),) = DataLoader(MapDataset(examples), 30)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


class Strange:
    """A tensor of another library."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_tensors_of_another_library():
    ((x, y),) = DataLoader(Given((Strange(X[0]), Strange(2)), (Strange(X[1]), 1)), 2)
    np.testing.assert_array_equal(x, X[:2])
    np.testing.assert_array_equal(y, [2, 1])


def test_torch():
    torch = pytest.importorskip("torch")
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    assert trainer().evaluate(tensors) == trainer().evaluate(X, Y)


def test_a_random_number_of_ones_own_is_drawn_anew():
    class Noise(Items):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x + self.asked[index], y

    loader = DataLoader(Noise(X, Y), 30)
    ((first, _),), ((second, _),) = loader, loader
    assert (first != second).all()


# How often items are asked for --------------------------------------------------------


def test_items_are_read_once_before_the_first_epoch_and_once_in_it():
    items = Items(X, Y)
    trainer().fit(items, batch_size=8, shuffle=False)
    first_batches = 2 * 8  # what the loader made ahead to see a batch
    assert items.asked[16:].max() <= 3
    assert items.asked.sum() <= 2 * 30 + 3 * first_batches


def test_making_one_reads_item_0_alone():
    items = Items(X, Y)
    loader = DataLoader(items, 8, prefetch=0)
    parts = data.split(items, (0.5, 0.5))
    DataLoader(parts[0], 8)
    assert items.asked.sum() == 2
    next(iter(loader))
    assert items.asked[8:].sum() == 0


def test_labels_are_remembered():
    items = Items(X, Y)
    dataset = MapDataset(items)
    dataset.take(np.arange(10))
    np.testing.assert_array_equal(dataset.y, Y)
    np.testing.assert_array_equal(dataset.y, Y)
    assert items.asked[1:].tolist() == [1] * 29


# Refused ------------------------------------------------------------------------------

GOOD = (X[0], 1)


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (
            (X[0, :1], 1),
            ShapeError,
            r"x has shape \(1,\), but that of item 0 is \(2,\)",
        ),
        (
            (X[0].astype(np.float64), 1),
            DtypeError,
            "x is float64, .* item 0 is float32",
        ),
        ((X[0], 1.0), DtypeError, "y is float64, but that of item 0 is int64"),
        ((X[0], [1, 0]), ShapeError, r"y has shape \(2,\)"),
        ((X[0],), DataError, "has no y, other than item 0"),
        (X[0], DataError, "has no y, other than item 0"),
        ((X[0], 1, 1.0), DataError, "has a weight, other than item 0"),
        ((X[0], "cat"), DtypeError, "y needs numbers, got str"),
        (([[1], [1, 2]], 1), ShapeError, "x is no array"),
        ((None, 1), DtypeError, "x needs numbers, got NoneType"),
        ((X[0], 1, 1.0, 4), DataError, "got a tuple of 4"),
        ((), DataError, "got a tuple of 0"),
        ({"x": X[0]}, DataError, r"\(x, y\) or \(x, y, weight\), got a dict"),
        ([X[0], 1], DataError, "got a list"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:30],
)
def test_an_item_that_differs_is_named(item, error, message):
    items = Given(*[GOOD] * 7, item, GOOD)
    with pytest.raises(error, match=f"item 7 of the data set.*{message}"):
        list(DataLoader(items, 4, workers=2))
    one = trainer()
    before = one.model.weight.data.copy()
    with pytest.raises(error, match="item 7 of the data set"):
        one.fit(items, batch_size=2)
    np.testing.assert_array_equal(one.model.weight.data, before)


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        ({"x": X[0]}, DataError, "got a dict"),
        ("text", DataError, "got a str"),
        ((X[0], 1, [1.0]), ShapeError, "weight must be a number"),
    ],
    ids=["dict", "text", "weight"],
)
def test_item_0_tells_what_they_are(item, error, message):
    with pytest.raises(error, match=f"item 0 of the data set.*{message}"):
        DataLoader(Given(item, item))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_out_of_range(weight):
    items = Given((X[0], 1, 1.0), (X[1], 1, weight))
    with pytest.raises(DataError, match=f"item 1 .*weight is {weight}"):
        list(DataLoader(items, 2))


def test_checks_before_the_first_step():
    one = trainer()
    wrong, broken = Y.copy(), X.copy()
    wrong[22], broken[22, 1] = 3, np.nan
    with pytest.raises(ArgumentError, match=r"training labels.*0 to 2, got 3"):
        one.fit(Items(X, wrong), batch_size=4)
    with pytest.raises(NonFiniteError, match=r"x\[22, 1\] of the training data is nan"):
        one.fit(Items(broken, Y), batch_size=4)
    assert not one.history.rows


def test_an_error_of_the_data_set_itself_comes_through():
    class Fails(Items):
        def __getitem__(self, index):
            if index == 20:
                raise OSError("picture 20 is damaged")
            return super().__getitem__(index)

    with pytest.raises(OSError, match="picture 20 is damaged"):
        trainer().fit(Fails(X, Y))


def test_an_empty_one():
    for empty in (Given(), Subset(MapDataset(Items(X, Y)), [])):
        with pytest.raises(DataError, match="empty"):
            DataLoader(empty)
    with pytest.raises(DataError, match="empty"):
        MapDataset([]).take(np.arange(0))
    assert MapDataset([]).y is None
    assert Subset(MapDataset(Items(X, Y)), []).x.shape == (0, 2)


class OnlyItems:
    def __getitem__(self, index):
        return X[index]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (OnlyItems(), "needs both __len__ and __getitem__"),
        ((x for x in X), "needs both __len__ and __getitem__"),
        (list(zip(X, Y, strict=True)), "a MapDataset if these are examples"),
        ({"x": X, "y": Y}, "got dict"),
        ("digits", "got str"),
        (Items, "got type"),
        (3, "got int"),
    ],
    ids=["no length", "generator", "list", "dict", "text", "class", "number"],
)
def test_what_is_no_data_set(source, message):
    with pytest.raises(DataError, match=message):
        DataLoader(source)


def test_a_data_set_of_ones_own_with_take_stays_one():
    class Own(ArrayDataset):
        pass

    own = Own(X, Y)
    assert data.as_dataset(own) is own
    assert isinstance(data.as_dataset(Items(X, Y)), MapDataset)
