"""What `fit` and `evaluate` take as x and y."""

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn
from fastdl.data import ArrayDataset, DataLoader
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.train import Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2)).astype(np.float32)
Y = np.arange(20) % 3


def trainer():
    fastdl.manual_seed(0)
    return Trainer(nn.Linear(2, 3))


def after(*arguments, **options):
    one = trainer()
    one.fit(*arguments, epochs=2, batch_size=8, **options)
    return one.history["loss"]


@pytest.mark.parametrize(
    "arguments",
    [
        (X, Y),
        (X.tolist(), Y.tolist()),
        (ArrayDataset(X, Y),),
        (fastdl.Tensor(X), Y),
        ((X, Y), None),
    ],
    ids=["arrays", "lists", "data set", "tensor", "tuple, None"],
)
def test_x_and_y_are_as_one_tuple(arguments):
    expected = trainer().evaluate((X, Y))
    assert after(*arguments) == pytest.approx(after((X, Y)), rel=1e-6)
    assert trainer().evaluate(*arguments) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("number", [5, np.int64(5), 5.0, np.array(5)])
def test_a_number_in_second_place_is_told_its_name(number):
    with pytest.raises(ArgumentError, match=r"fit: .*did you mean epochs=5"):
        trainer().fit((X, Y), number)
    with pytest.raises(ArgumentError, match=r"fit: .*did you mean epochs=5"):
        trainer().fit(X, number)
    with pytest.raises(ArgumentError, match=r"evaluate: .*mean batch_size=5"):
        trainer().evaluate((X, Y), number)


@pytest.mark.parametrize(
    "x",
    [(X, Y), ArrayDataset(X, Y), ArrayDataset(X), DataLoader((X, Y), 8)],
    ids=["tuple", "data set", "data set without y", "loader"],
)
@pytest.mark.parametrize(
    "y", [Y, (X, Y), ArrayDataset(X, Y)], ids=["labels", "tuple", "data set"]
)
def test_data_that_have_their_own_labels_need_no_y(x, y):
    with pytest.raises(ArgumentError, match=r"fit: x is a .*validation="):
        trainer().fit(x, y)
    with pytest.raises(ArgumentError, match=r"evaluate: x is a .*leave y out"):
        trainer().evaluate(x, y)


@pytest.mark.parametrize(
    "y",
    [ArrayDataset(X, Y), DataLoader((X, Y), 8), "labels"],
    ids=["data set", "loader", "text"],
)
def test_y_beside_an_array_is_an_array(y):
    with pytest.raises(ArgumentError, match="fit: y must be an array of labels"):
        trainer().fit(X, y)


def test_y_beside_an_array_is_a_dict_of_no_arrays():
    with pytest.raises(ShapeError, match=r"y\['a'\] needs rows, got a single number"):
        trainer().fit(X, {"a": 1})


def test_x_and_y_of_other_lengths():
    with pytest.raises(ShapeError, match="x has 20 examples but y has 9"):
        trainer().fit(X, Y[:9])


def test_several_inputs_or_targets_in_a_list():
    several = [X, X[:, :1]]
    with pytest.raises(ArgumentError, match=r"list of 2 arrays.*are a tuple"):
        trainer().fit(several, Y)
    with pytest.raises(ShapeError, match=r"y must be one array.*are a tuple"):
        trainer().fit(X, several)
    with pytest.raises(ArgumentError, match=r"second place is for batch_size"):
        trainer().predict(X, several)


@pytest.mark.parametrize("shuffle", ["a", None, 1])
def test_shuffle_is_true_or_false(shuffle):
    with pytest.raises(ArgumentError, match="shuffle must be True or False"):
        trainer().fit(X, Y, shuffle=shuffle)


@pytest.mark.parametrize(
    "loss",
    [nn.TripletMarginLoss(), F.triplet_margin_loss, lambda outputs: outputs.sum()],
    ids=["module", "function", "of outputs alone"],
)
def test_a_loss_that_takes_something_else(loss):
    """Told when it is given, not in the first step."""
    with pytest.raises(ArgumentError, match=r"^Trainer: a loss is called as \(out"):
        Trainer(nn.Linear(2, 3), loss)
    with pytest.raises(ArgumentError, match=r"a loss is called as \(outputs, y\)"):
        nn.MultiTaskLoss({"a": loss})


@pytest.mark.parametrize(
    "loss",
    [
        lambda outputs, y, weight: F.cross_entropy(outputs, y, sample_weight=weight),
        lambda outputs, y, sample_weight: F.cross_entropy(outputs, y),
        lambda *arguments: F.cross_entropy(*arguments[:2]),
    ],
)
def test_a_loss_may_need_weights(loss):
    trainer = Trainer(nn.Linear(2, 3), loss)
    assert trainer.evaluate((X, Y, np.ones(20)))["loss"] > 0


def test_a_list_of_x_alone():
    with pytest.raises(DataError, match="tuple"):
        trainer().fit(X.tolist())


def test_a_missing_test_set_is_told():
    with pytest.raises(DataError, match="evaluate: there is no such set"):
        trainer().evaluate(None)
