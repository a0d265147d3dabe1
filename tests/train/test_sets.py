"""What `fit` trains on and measures on: kept parts, weights, and both of Keras's names.

A resumed training has the same; tests/train/test_resume.py.
"""

import io
import sys
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import datasets, nn, optim
from fastdl.data import ArrayDataset, DataLoader, MapDataset, Subset
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.train import Trainer
from fastdl.train.sets import training_sets

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 2)).astype(np.float32)
Y = np.repeat(np.arange(5), 10)  # sorted by class
EXAMPLES = list(zip(X, Y, strict=True))
WEIGHT = RNG.uniform(0.5, 2, 50)


def trainer(loss=None, outputs=5, **options):
    fastdl.manual_seed(0)
    sgd = partial(optim.SGD, lr=0.1)
    return Trainer(nn.Linear(2, outputs), loss, sgd, **options)


def weights(one):
    return {name: a.tobytes() for name, a in one.model.state_dict().items()}


def fitted(*arguments, loss=None, outputs=5, **options):
    one = trainer(loss, outputs)
    one.fit(*arguments, epochs=2, batch_size=8, **options)
    return one


def measured(one):
    """All of a history but the times."""
    return [
        {name: value for name, value in row.items() if "second" not in name}
        for row in one.history.rows
    ]


# Validation data ----------------------------------------------------------------------


def test_validation_data_is_validation():
    one = fitted(X, Y, validation_data=(X[::2], Y[::2]))
    assert measured(one) == measured(fitted(X, Y, validation=(X[::2], Y[::2])))


def test_validation_data_may_have_weights():
    one = fitted(X, Y, validation_data=(X, Y, WEIGHT))
    expected = one.evaluate(X, Y, sample_weight=WEIGHT)
    assert one.history["val_loss"][-1] == pytest.approx(expected["loss"])


@pytest.mark.parametrize("other", ["validation", "validation_split"])
def test_one_kind_of_validation(other):
    options = {"validation": (X, Y), "validation_split": 0.2}
    with pytest.raises(ArgumentError, match="fit: validation"):
        fitted(X, Y, validation_data=(X, Y), **{other: options[other]})


def sets(source, share, shuffle=True, seed=0, **options):
    train, dev = training_sets(source, None, share, 8, shuffle, seed)
    return train.dataset, dev.dataset


def test_a_kept_part_is_drawn_by_class():
    train, dev = sets((X, Y), 0.2)
    assert len(train) == 40
    np.testing.assert_array_equal(np.bincount(dev.y), [2, 2, 2, 2, 2])
    rows = np.sort(np.r_[train.indices, dev.indices])
    np.testing.assert_array_equal(rows, np.arange(50))


def test_a_kept_part_depends_on_the_seed_alone():
    (_, one), (_, same), (_, other) = (sets((X, Y), 0.2, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.indices, same.indices)
    assert (one.indices != other.indices).any()


def test_a_kept_part_of_targets_is_drawn_too():
    _, dev = sets((X, X), 0.3)
    assert len(dev) == 15
    assert (dev.indices != np.arange(35, 50)).any()


def test_a_kept_part_is_what_it_says_it_is():
    one = fitted(X, Y, validation_split=0.2, seed=7)
    train, dev = sets((X, Y), 0.2, seed=7)
    other = fitted(train, validation=dev, seed=7)
    assert measured(one) == measured(other)


def test_a_kept_part_brings_its_weights():
    one = fitted(X, Y, sample_weight=WEIGHT, validation_split=0.2)
    _, dev = sets((X, Y), 0.2)
    own = WEIGHT[dev.indices]
    expected = one.evaluate(X[dev.indices], Y[dev.indices], sample_weight=own)["loss"]
    assert one.history["val_loss"][-1] == pytest.approx(expected)


@pytest.mark.parametrize("source", [ArrayDataset(X, Y), MapDataset(EXAMPLES)])
def test_a_part_of_a_data_set(source):
    assert "val_loss" in fitted(source, validation_split=0.2).history


def test_rows_in_the_order_of_time():
    """Without shuffle the part is the last rows, as elsewhere."""
    train, dev = sets((X, X), 0.2, shuffle=False)
    np.testing.assert_array_equal(train.indices, np.arange(40))
    np.testing.assert_array_equal(dev.indices, np.arange(40, 50))
    mixed = np.arange(50) % 5
    assert len(sets((X, mixed), 0.2, shuffle=False)[1]) == 10


def test_rows_sorted_by_class():
    with pytest.raises(DataError, match="all of class 4 are among them; are they sor"):
        fitted(X, Y, validation_split=0.2, shuffle=False)


@pytest.mark.parametrize("share", [-0.2, 1, 1.5, np.nan, "0.2", True])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ArgumentError, match=r"share of the data between 0 and 1"):
        fitted(X, Y, validation_split=share)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_both_parts_have_examples(share):
    with pytest.raises(ArgumentError, match=r"of 50 examples leaves (50|0) to train"):
        fitted(X, Y, validation_split=share)


def test_a_share_of_0_keeps_nothing():
    assert measured(fitted(X, Y, validation_split=0.0)) == measured(fitted(X, Y))


def test_a_part_of_a_loader():
    with pytest.raises(ArgumentError, match=r"validation_split cannot cut.*data\.spli"):
        trainer().fit(DataLoader((X, Y), 8), validation_split=0.2)


# Weights of examples ------------------------------------------------------------------


def test_sample_weight_is_the_third_of_a_tuple():
    one = fitted(X, Y, sample_weight=WEIGHT)
    assert weights(one) == weights(fitted((X, Y, WEIGHT)))
    assert weights(one) == weights(fitted((X, Y), sample_weight=WEIGHT.tolist()))
    assert weights(one) == weights(fitted(ArrayDataset(X, Y), sample_weight=WEIGHT))
    expected = one.evaluate((X, Y, WEIGHT))
    assert one.evaluate(X, Y, sample_weight=WEIGHT) == expected
    assert one.evaluate((X, Y), sample_weight=WEIGHT) == expected
    assert one.evaluate(X, Y) != expected


@pytest.mark.parametrize(
    "source",
    [(X, Y, WEIGHT), DataLoader((X, Y)), Subset((X, Y), np.arange(50))],
    ids=["weights", "loader", "subset"],
)
def test_sample_weight_beside_other_data(source):
    with pytest.raises(ArgumentError, match="fit: sample_weight stands beside arrays"):
        trainer().fit(source, sample_weight=WEIGHT)
    with pytest.raises(ArgumentError, match="evaluate: sample_weight stands beside"):
        trainer().evaluate(source, sample_weight=WEIGHT)


def test_as_many_weights_as_examples():
    with pytest.raises(ShapeError, match="one weight for each of the 50 examples"):
        trainer().fit(X, Y, sample_weight=WEIGHT[:9])


# Weights of classes -------------------------------------------------------------------

BY_CLASS = [1.0, 2.0, 0.0, 1.0, 0.5]


def close(one, other):
    for name, array in one.model.state_dict().items():
        np.testing.assert_allclose(other.model.state_dict()[name], array, rtol=1e-5)
    assert one.history["loss"] == pytest.approx(other.history["loss"], rel=1e-5)


@pytest.mark.parametrize(
    "class_weight",
    [
        BY_CLASS,
        np.array(BY_CLASS),
        dict(enumerate(BY_CLASS)),
        {9: 3.0, **dict(enumerate(BY_CLASS))},
    ],
    ids=["list", "array", "dict", "more classes"],
)
@pytest.mark.parametrize("y", [Y, np.eye(5)[Y]], ids=["labels", "rows"])
def test_class_weight_is_that_of_the_loss(class_weight, y):
    loss = nn.CrossEntropyLoss(class_weight=BY_CLASS)
    close(fitted(X, y, class_weight=class_weight), fitted(X, Y, loss=loss))


def test_class_weight_multiplies_the_weight_of_an_example():
    product = WEIGHT * np.take(BY_CLASS, Y)
    one = fitted(X, Y, sample_weight=WEIGHT, class_weight=BY_CLASS)
    close(one, fitted(X, Y, sample_weight=product))


def test_class_weight_is_not_for_the_validation_data():
    one = fitted(X, Y, class_weight=BY_CLASS, validation=(X, Y))
    assert one.history["val_loss"][-1] == pytest.approx(one.evaluate(X, Y)["loss"])


def test_balanced_classes_count_the_same():
    y = np.r_[np.zeros(30, int), np.ones(15, int), np.full(5, 3)]
    one = fitted(X, y, class_weight="balanced")
    close(one, fitted(X, y, class_weight=[50 / 90, 50 / 45, 0, 50 / 15]))


def test_class_weight_of_a_question():
    yes = (X[:, :1] > 0).astype(np.float32)
    one = fitted(X, yes, loss=nn.BCEWithLogitsLoss(), outputs=1, class_weight=[1, 3])
    own = np.where(yes[:, 0] > 0, 3, 1)
    loss = nn.BCEWithLogitsLoss()
    close(one, fitted(X, yes, loss=loss, outputs=1, sample_weight=own))


def test_class_weight_of_batches_of_a_loader():
    """Whatever a transform makes of the labels."""

    def as_rows(x, y, seeds):
        return x, np.eye(5)[y]

    one, other = trainer(), trainer(nn.CrossEntropyLoss(class_weight=BY_CLASS))
    for each, class_weight in ((one, BY_CLASS), (other, None)):
        loader = DataLoader((X, Y), 8, transform=as_rows)
        each.fit(loader, epochs=2, class_weight=class_weight)
    close(one, other)


@pytest.mark.parametrize(
    ("class_weight", "y", "loss", "message"),
    [
        ({0: 1.0}, Y, None, "class_weight has nothing for class 1, which is among"),
        ({}, Y, None, "nothing for class 0"),
        ([1.0, 2.0], Y, None, "number for each class, but label 4 has none"),
        (2.0, Y, None, "number for each class"),
        ([1, 1, -1, 1, 1], Y, None, "each class_weight must be a finite number >= 0"),
        ([1, 1, np.nan, 1, 1], Y, None, "each class_weight must be a finite"),
        ("balancd", Y, None, "did you mean 'balanced'"),
        ({0: 1, 1: 2}, X, nn.BCEWithLogitsLoss(), r"2 yes-or-no questions.*pos_weight"),
        ([1.0], X[:, 0], nn.MSELoss(), "class_weight needs labels, integers from 0"),
        ([1.0], -Y, None, "class_weight needs labels, integers from 0"),
        ([1.0], X.reshape(10, 5, 2), None, "needs one label for each example, got y o"),
        ([1.0], {"a": Y}, None, "is for one loss; with several tasks"),
        ([1.0], None, None, "class_weight needs labels, but the data have none"),
    ],
)  # fmt: skip
def test_class_weight_that_does_not_fit(class_weight, y, loss, message):
    x = X[:10] if np.ndim(y) == 3 else X
    with pytest.raises((ArgumentError, DataError), match=f"fit: .*{message}"):
        trainer(loss).fit(x, y, class_weight=class_weight)


# Reports ------------------------------------------------------------------------------


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 2), ("auto", 0)])
def test_verbose(verbose, lines, capsys):
    fitted(X, Y, verbose=verbose)
    assert capsys.readouterr().err.count("\n") == lines


@pytest.mark.parametrize(("verbose", "has_bar"), [(1, True), (2, False)])
def test_verbose_on_a_terminal(verbose, has_bar, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    fitted(X, Y, verbose=verbose)
    assert "epoch 2/2  loss" in terminal.getvalue()
    assert ("batches/s" in terminal.getvalue()) is has_bar


@pytest.mark.parametrize("verbose", [3, -1, "loud"])
def test_verbose_of_another_kind(verbose):
    with pytest.raises(ArgumentError, match=r"verbose is 0 \(quiet\)"):
        trainer().fit(X, Y, verbose=verbose)


def test_verbose_beside_progress():
    with pytest.raises(ArgumentError, match="progress and verbose mean the same"):
        trainer().fit(X, Y, verbose=0, progress=False)


# What a method takes ------------------------------------------------------------------


def test_options_are_given_by_name():
    with pytest.raises(
        TypeError, match=r"fit: .* by name \(epochs=, batch_size=.*5 in"
    ):
        trainer().fit(X, Y, 5)
    with pytest.raises(
        TypeError, match=r"evaluate: .*\(batch_size=.*got 64 in place 3"
    ):
        trainer().evaluate(X, Y, 64)


def test_a_misspelt_option():
    with pytest.raises(TypeError, match=r"fit: .*'epocs'; did you mean 'epochs'"):
        trainer().fit(X, Y, epocs=3)
    with pytest.raises(TypeError, match=r"predict: .*did you mean 'batch_size'"):
        trainer().predict(X, batchsize=3)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_part_of_splits_is_meant(method):
    with pytest.raises(
        DataError, match=r"got Splits; give a part of it, \.train or \."
    ):
        getattr(trainer(), method)(datasets.load("digits"))


def test_a_warning_names_the_line_of_the_call():
    one = Trainer(nn.Sequential(nn.Linear(2, 5), nn.Softmax()))
    with pytest.warns(UserWarning, match="ends with layer") as seen:
        one.fit(X, Y)
    assert seen[0].filename == __file__
