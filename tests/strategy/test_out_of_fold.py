"""Answers by networks that have not seen the example (S30)."""

from functools import partial

import numpy as np
import pytest

from fastdl import models, nn, optim, strategy
from fastdl.data import ArrayDataset, folds
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.train import Recipe, Trainer


class Knows:
    """Answers 1 to what it was trained on, 0 to all else."""

    def __init__(self, train):
        self.seen = set(train.x[:, 0])

    def predict(self, dataset, probabilities):
        assert probabilities
        known = np.array([x in self.seen for x in dataset.x[:, 0]])
        return np.stack([~known, known], axis=1).astype(float)


def rows(m=20, classes=2):
    return ArrayDataset(np.arange(m)[:, np.newaxis], np.arange(m) % classes)


def test_nobody_answers_about_what_it_was_trained_on():
    """S30."""
    trained = []

    def fit(train, callbacks):
        trained.append(set(train.indices))
        return Knows(train)

    answers = strategy.out_of_fold(fit, rows(), k=5)
    np.testing.assert_array_equal(answers, np.tile([1.0, 0.0], (20, 1)))
    assert [len(each) for each in trained] == [16] * 5
    assert set.intersection(*trained) == set()


def test_the_folds_are_stratified_and_those_of_the_seed():
    held_out = []

    def fit(train, callbacks):
        held_out.append(np.setdiff1d(np.arange(20), train.indices).tolist())
        return Knows(train)

    strategy.out_of_fold(fit, rows(), k=4, seed=3)
    expected = folds(rows(), 4, 3, stratify=True)
    assert held_out == [held.indices.tolist() for _, held in expected]


def test_groups_are_held_out_together():
    groups = np.arange(20) // 4

    def fit(train, callbacks):
        assert all(np.sum(train.indices // 4 == g) in (0, 4) for g in range(5))
        return Knows(train)

    strategy.out_of_fold(fit, rows(), k=2, groups=groups)


def blobs(m=200):
    rng = np.random.default_rng(0)
    y = np.arange(m) % 3
    return ArrayDataset(rng.normal(3.0 * y[:, np.newaxis], 0.3, (m, 2)), y)


def test_a_recipe_learns_and_repeats_itself():
    """S30: same seed, same bits."""
    recipe = Recipe("logistic", epochs=40, batch_size=16, lr=0.1)
    data = blobs()
    first, again = (strategy.out_of_fold(recipe, data, 3, 1) for _ in range(2))
    other = strategy.out_of_fold(recipe, data, 3, 2)
    assert first.shape == (200, 3)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(first.argmax(axis=1) == data.y) > 0.95
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_training_by_hand():
    """The callbacks may be given to fit, or left."""

    def fit(train, callbacks):
        adam = partial(optim.Adam, lr=0.1)
        trainer = Trainer(models.create("logistic", 3), nn.CrossEntropyLoss(), adam)
        trainer.fit(train, epochs=2, callbacks=callbacks)
        return trainer

    assert strategy.out_of_fold(fit, blobs(), k=2).shape == (200, 3)


def test_classes_that_no_label_has():
    recipe = Recipe("logistic", epochs=1)
    assert strategy.out_of_fold(recipe, blobs(30), 2, classes=5).shape == (30, 5)


def test_progress_goes_from_fold_to_fold(capfd):
    strategy.out_of_fold(Recipe("logistic", epochs=1), blobs(30), 2, progress=True)
    assert "out of fold" in capfd.readouterr().err
    strategy.out_of_fold(Recipe("logistic", epochs=1), blobs(30), 2)
    assert capfd.readouterr().err == ""


def test_an_answer_of_other_classes_is_refused():
    with pytest.raises(ShapeError, match="expected probabilities of 3 classes"):
        strategy.out_of_fold(lambda train, _: Knows(train), rows(classes=3), k=2)


@pytest.mark.parametrize(
    ("dataset", "options", "error", "message"),
    [
        (np.zeros((9, 1)), {}, DataError, "integer labels"),
        ((np.zeros((9, 1)), np.zeros(9)), {}, DataError, "integer labels"),
        ((np.zeros((3, 1)), np.array([-1, 0, 1])), {}, DataError, "begin at 0, got -1"),
        ((np.zeros((3, 1)), np.arange(3)), {}, ArgumentError, "4 folds need"),
        ((np.zeros((0, 1)), np.zeros(0, int)), {}, ArgumentError, "there are 0"),
        (rows(), {"k": 1}, ShapeError, "k must be an integer >= 2"),
        (rows(), {"seed": -1}, ShapeError, "seed"),
        (
            rows(classes=4),
            {"classes": 3},
            DataError,
            "label 3, but there are 3 classes",
        ),
    ],
)
def test_bad_input(dataset, options, error, message):
    with pytest.raises(error, match=message):
        strategy.out_of_fold(Recipe("logistic", epochs=1), dataset, **options)


def test_something_that_does_not_train():
    with pytest.raises(ArgumentError, match="must be a Recipe or fit"):
        strategy.out_of_fold("digits", rows())


def test_fit_must_return_a_trainer():
    with pytest.raises(ArgumentError, match="fit must return a Trainer, got None"):
        strategy.out_of_fold(lambda train, callbacks: None, rows(), 2)
