"""Batches that somebody else makes: generators, functions, other libraries' loaders."""

from itertools import count, islice

import numpy as np
import pytest

import fastdl
from fastdl import nn
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError
from fastdl.train import Trainer
from fastdl.train.streams import BatchStream, is_stream

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2)).astype(np.float32)
Y = np.arange(24) % 3
WEIGHT = RNG.uniform(0.5, 2, 24)


class Loader:
    """As another library's: it has a length, and begins again in each epoch."""

    def __init__(self, *arrays):
        self.arrays, self.passes = arrays, 0

    def __len__(self):
        return 3

    def __iter__(self):
        self.passes += 1
        for start in range(0, 24, 8):
            yield [array[start : start + 8] for array in self.arrays]


def batches(*arrays, passes=1):
    """A generator."""
    for _ in range(passes):
        yield from map(tuple, Loader(*(arrays or (X, Y))))


def endless():
    for _ in count():
        yield from batches()


def trained(x, epochs=2, **options):
    fastdl.manual_seed(0)
    one = Trainer(nn.Linear(2, 3))
    one.fit(x, epochs=epochs, **options)
    return one


def arrays(epochs=2, **options):
    return trained(DataLoader((X, Y), 8), epochs, **options).history


FORMS = {
    "an endless generator": (endless, {"steps_per_epoch": 3}),
    "a generator for all epochs": (
        lambda: batches(passes=2),
        {"steps_per_epoch": 3},
    ),
    "a function": (lambda: batches, {"steps_per_epoch": 3}),
    "a loader of another library": (lambda: Loader(X, Y), {}),
    "some of its batches": (lambda: Loader(X, Y), {"steps_per_epoch": 3}),
}


@pytest.mark.parametrize("form", FORMS)
def test_fit(form):
    make, options = FORMS[form]
    history = trained(make(), **options).history
    assert history["loss"] == arrays()["loss"]
    assert history["accuracy"] == arrays()["accuracy"]


def test_a_loader_is_passed_through_once_in_each_epoch():
    loader = Loader(X, Y)
    trained(loader, epochs=3)
    assert loader.passes == 3


def test_fewer_steps_than_batches():
    """A generator goes on, all else begins again."""
    one = trained(batches(passes=2), steps_per_epoch=2)
    halves = [slice(0, 16), np.r_[16:24, 0:8]]
    for epoch, rows in enumerate(halves, 1):
        part = DataLoader((X[rows], Y[rows]), 8)
        if epoch == 1:
            other = trained(part, epochs=1)
        else:
            other.fit(part)
    assert one.history["loss"] == other.history["loss"]
    again = trained(batches, steps_per_epoch=2)
    first = trained(DataLoader((X[:16], Y[:16]), 8))
    assert again.history["loss"] == first.history["loss"]


def test_weights():
    one = trained(Loader(X, Y, WEIGHT))
    assert one.history["loss"] == trained(DataLoader((X, Y, WEIGHT), 8)).history["loss"]


def test_pictures_are_scaled():
    pictures = RNG.integers(0, 256, (24, 2, 2), np.uint8)
    losses = []
    for source in (Loader(pictures, Y), DataLoader((pictures, Y), 8)):
        fastdl.manual_seed(0)
        one = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
        losses.append(one.fit(source)["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: Loader(X, Y), {}),
        (lambda: batches, {"validation_steps": 3}),
        (lambda: batches(passes=2), {"validation_steps": 3}),
    ],
    ids=["loader", "function", "generator"],
)
def test_validation(make, options):
    history = trained((X, Y), validation=make(), **options).history
    expected = trained((X, Y), validation=(X, Y)).history
    assert history["val_loss"] == pytest.approx(expected["val_loss"])


def test_evaluate_and_predict():
    one = Trainer(nn.Linear(2, 3))
    expected = one.evaluate(DataLoader((X, Y), 8))
    assert one.evaluate(batches()) == expected
    assert one.evaluate(Loader(X, Y)) == expected
    assert one.evaluate(endless(), steps=3) == expected
    for source, options in ((batches(), {}), (endless(), {"steps": 3})):
        np.testing.assert_array_equal(one.predict(source, **options), one.predict(X))
    alone = (x for x, _ in batches())
    np.testing.assert_array_equal(one.predict(alone), one.predict(X))


def test_class_weight():
    one = trained(Loader(X, Y), class_weight={0: 1, 1: 2, 2: 3})
    other = trained(DataLoader((X, Y), 8), class_weight=[1, 2, 3])
    assert one.history["loss"] == other.history["loss"]
    with pytest.raises(ArgumentError, match="label 2 has none; it has 2"):
        trained(Loader(X, np.repeat([0, 1, 2], 8)), class_weight=[1, 2])
    with pytest.raises(ArgumentError, match=r"'balanced' counts all labels, and a gen"):
        trained(Loader(X, Y), class_weight="balanced")


# What is refused ----------------------------------------------------------------------


def test_a_generator_that_ends_early():
    """The whole epochs stay."""
    fastdl.manual_seed(0)
    one = Trainer(nn.Linear(2, 3))
    source = islice(endless(), 5)
    with pytest.raises(
        DataError,
        match="ended after 2 batches of pass 2, but steps_per_epoch=3; it must give as",
    ):
        one.fit(source, epochs=4, steps_per_epoch=3)
    assert len(one.history) == 1
    with pytest.raises(DataError, match="fit: the generator gives no batch"):
        one.fit(iter(batches(passes=0)), steps_per_epoch=3)


@pytest.mark.parametrize("source", [endless(), batches], ids=["generator", "function"])
def test_a_generator_of_no_length(source):
    with pytest.raises(ArgumentError, match=r"when an epoch of a .*steps_per_epoch="):
        trained(source)
    with pytest.raises(ArgumentError, match=r"when an epoch of a .*validation_steps="):
        trained((X, Y), validation=source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y": Y}, "x is a BatchStream, which brings its labels itself"),
        ({"batch_size": 8}, "batch_size, shuffle and seed belong to the DataLoader or"),
        ({"validation_split": 0.5}, "validation_split cannot cut the batches"),
        ({"sample_weight": WEIGHT}, "sample_weight stands beside arrays x and y"),
        ({"checkpoint": "file"}, "a checkpoint needs data that can be read again"),
        ({"validation_steps": 3}, "validation_steps are for validation data"),
    ],
)
def test_what_does_not_go_with_a_generator(options, message):
    with pytest.raises(ArgumentError, match=f"fit: {message}"):
        trained(Loader(X, Y), **options)


@pytest.mark.parametrize("data", [(X, Y), DataLoader((X, Y), 8)])
def test_steps_of_other_data(data):
    with pytest.raises(
        ArgumentError, match="steps_per_epoch counts batches of a gener"
    ):
        trained(data, steps_per_epoch=3)
    with pytest.raises(
        ArgumentError, match="validation_steps counts batches of a gene"
    ):
        trained((X, Y), validation=data, validation_steps=3)
    with pytest.raises(ArgumentError, match="evaluate: steps counts batches"):
        Trainer(nn.Linear(2, 3)).evaluate(data, steps=3)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (
            (X, Y, WEIGHT, Y),
            DataError,
            r"is \(x, y\) or \(x, y, weight\), got 4 values",
        ),
        ((X, Y[:3]), ShapeError, "a batch of a generator: ArrayDataset: x has 24"),
        (("a", Y), DtypeError, "a batch of a generator: .*x needs numbers"),
        ((X, 3), ShapeError, "a batch of a generator: .*y needs rows"),
    ],
)
def test_what_is_no_batch(batch, error, message):
    with pytest.raises(error, match=f"fit: .*{message}"):
        trained(iter([batch]), steps_per_epoch=1)


def test_ranks_cannot_share_a_generator():
    stream = BatchStream(endless(), 3, "fit", "steps_per_epoch")
    with pytest.raises(ArgumentError, match="several ranks take parts of the batches"):
        stream.parts(0, 0, 2)


def test_what_is_no_stream():
    class Examples:
        y = Y

        def __len__(self):
            return 24

        def take(self, indices):
            return X[indices], Y[indices]

        def __iter__(self):
            return iter(X)

    known = [
        X,
        X.tolist(),
        (X, Y),
        {"a": X},
        DataLoader(X),
        Examples(),
        fastdl.Tensor(X),
    ]
    assert not any(map(is_stream, known))
    stream = BatchStream(endless(), 3, "fit", "steps_per_epoch")
    assert not is_stream(stream)
    assert repr(stream) == "BatchStream(generator, 3 batches)"
