"""S27: metrics of fit and evaluate are those of the whole set, however it is cut."""

import re
import threading
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import metrics, nn
from fastdl.errors import ArgumentError, DataError
from fastdl.train import Callback, Trainer
from fastdl.train.answers import as_seen

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 2)).astype(np.float32)
Y = np.r_[np.zeros(80, int), np.ones(7, int), 2, 2, 2]  # batches lack classes


def trainer(given=None, loss=None, outputs=3):
    fastdl.manual_seed(0)
    return Trainer(nn.Linear(2, outputs), loss, metrics=given)


def whole(function, **options):
    return function(Y, trainer().predict(X), **options)


def macro(y, outputs):
    return metrics.f1(y, outputs, average="macro")


def said(value):
    """Return a value as the name of a case: without an address, so always the same."""
    return re.sub(r" at 0x\w+", "", str(value))[:60]


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ("accuracy", "accuracy", whole(metrics.accuracy)),
        ("error_rate", "error_rate", whole(metrics.error_rate)),
        ("f1", "f1", whole(metrics.f1, average="macro")),
        ("precision", "precision", whole(metrics.precision, average="macro")),
        ("recall", "recall", whole(metrics.recall, average="macro")),
        (metrics.f1, "f1", whole(metrics.f1, average="macro")),
        (metrics.recall, "recall", whole(metrics.recall, average="macro")),
        (
            partial(metrics.f1, average="weighted"),
            "weighted_f1",
            whole(metrics.f1, average="weighted"),
        ),
        (metrics.F1("micro"), "micro_f1", whole(metrics.f1, average="micro")),
        (
            partial(metrics.top_k_accuracy, k=2),
            "top_2_accuracy",
            whole(metrics.top_k_accuracy, k=2),
        ),
        (
            metrics.TopKAccuracy(1),
            "top_1_accuracy",
            whole(metrics.top_k_accuracy, k=1),
        ),
    ],
    ids=said,
)
@pytest.mark.parametrize("batch_size", [1, 7, 90])
def test_a_metric_is_that_of_the_whole_set(given, name, expected, batch_size):
    assert trainer([given]).evaluate(X, Y, batch_size=batch_size)[name] == expected


def test_in_training_and_validation_as_well():
    one = trainer(["f1"])

    class Frozen(Callback):
        """Undo each step, so that the whole epoch is measured with one model."""

        def on_train_begin(self, trainer, epochs, batches):
            self.state = trainer.model.state_dict()

        def on_batch_end(self, trainer, step):
            trainer.model.load_state_dict(self.state)
            trainer.evaluate(X[:9], Y[:9])  # a metric under way is left alone

    one.fit(X, Y, batch_size=7, validation=(X, Y), callbacks=[Frozen()])
    expected = whole(metrics.f1, average="macro")
    assert one.history["f1"] == one.history["val_f1"] == [expected]


def test_a_metric_given_is_copied():
    mine = metrics.F1()
    mine.update([0, 1], [0, 0])
    before = mine.result()
    one = trainer([mine])
    assert one.evaluate(X, Y) == one.evaluate(X, Y)
    assert one.evaluate(X, Y)["f1"] == whole(metrics.f1, average="macro")
    assert mine.result() == before


class Worst(metrics.Metric):
    """The largest error: no mean at all."""

    name = "worst"

    def __init__(self):
        self.reset()

    def reset(self):
        self.error = 0.0

    def update(self, y_true, y_pred):
        self.error = max(self.error, float(np.abs(y_true - y_pred).max()))

    def merge(self, other):
        self.error = max(self.error, other.error)

    def result(self):
        return self.error


def test_a_metric_of_ones_own():
    one = trainer([Worst()], nn.MSELoss(), outputs=1)
    target = X[:, :1]
    expected = np.abs(target - one.predict(X)).max()
    measured = one.evaluate(X, target, batch_size=8)
    assert measured["worst"] == pytest.approx(expected, rel=1e-6)


# Functions, which are averaged --------------------------------------------------------


def test_a_function_that_is_a_mean_is_averaged_in_silence(recwarn):
    def off_by_one(y, outputs):
        return float(np.mean(np.abs(outputs.argmax(axis=1) - y) == 1))

    one = trainer([off_by_one])
    expected = off_by_one(Y, one.predict(X))
    measured = one.evaluate(X, Y, batch_size=7)
    assert measured["off_by_one"] == pytest.approx(expected)
    assert not recwarn.list


def test_a_function_that_is_no_mean_is_warned_of():
    y = np.arange(90) % 3
    with pytest.warns(UserWarning, match="'macro' is no mean over examples.*'f1'"):
        trainer([macro]).evaluate(X, y, batch_size=50)
    with pytest.warns(UserWarning, match="'macro' is no mean over examples"):
        trainer([macro]).fit(X, y, batch_size=50)


def test_nothing_is_wrong_with_it_where_all_is_one_batch(recwarn):
    y = np.arange(90) % 3
    one = trainer([macro])
    assert one.evaluate(X, y)["macro"] == macro(y, one.predict(X))
    assert not recwarn.list


# Refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["acuracy"], "unknown metric 'acuracy'; did you mean 'accuracy'"),
        ([nn.MSELoss], r"a Metric such as metrics.F1\(\), got <class"),
        ([None], "a metric is a name, a function"),
        (["f1", metrics.f1], "two measures are called 'f1'"),
        ([lambda y, o: 0.0, lambda y, o: 1.0], "two measures are called '<lambda>'"),
        ("accuracy", "metrics are a list, got 'accuracy'"),
        (metrics.F1(), "metrics are a list"),
        ([partial(metrics.f1, average="makro")], "did you mean 'macro'"),
    ],
    ids=said,
)
def test_trainer_refuses(given, message):
    with pytest.raises(ArgumentError, match=message):
        trainer(given)


def refused_before_the_first_step(one, y, error, message):
    before = one.model.state_dict()
    with pytest.raises(error, match=message):
        one.fit(X, y, batch_size=8)
    for name, array in one.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert not one.history.rows


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (partial(metrics.f1, average=None), "'f1' must give one number.*an average"),
        (lambda y, outputs: outputs, "'<lambda>': <lambda> must give one number"),
        (lambda y, outputs: None, "'<lambda>': <lambda> must give one number"),
        (metrics.TopKAccuracy(5), "k = 5, but there are 3 classes"),
    ],
    ids=["an array", "rows", "nothing", "k"],
)
def test_a_metric_that_does_not_fit_is_found_before_the_first_step(given, message):
    refused_before_the_first_step(trainer([given]), Y, ArgumentError, message)


@pytest.mark.parametrize("given", [None, ()], ids=["accuracy", "no metrics"])
@pytest.mark.parametrize(
    "rows",
    [
        np.r_[np.eye(3)[Y[:50]], np.ones((40, 3))],  # the first batches are fine
        np.r_[np.eye(3)[Y[:89]], np.zeros((1, 3))],
        np.full((90, 3), 0.3),
    ],
    ids=["multi-hot", "no class", "soft"],
)
def test_rows_that_do_not_sum_to_1_are_found_before_the_first_step(given, rows):
    message = r"training labels: row \d+ sums to (3|0|0\.9), .*BCEWithLogitsLoss"
    refused_before_the_first_step(trainer(given), rows, DataError, message)
    bytes_of_rows = rows.round().astype(np.uint8)
    if (bytes_of_rows == rows).all():
        refused_before_the_first_step(trainer(given), bytes_of_rows, DataError, message)


def test_soft_labels_that_sum_to_1_train():
    one = trainer()
    one.fit(X, np.full((90, 3), 1 / 3, np.float32))
    assert len(one.history) == 1


def test_accuracy_of_a_number_is_found_before_the_first_step():
    one = trainer(["accuracy"], nn.MSELoss(), outputs=1)
    y = (Y[:, np.newaxis] > 0).astype(np.float32)
    message = r"'accuracy': y_true has shape \(8, 1\).*logits\[:, 0\] > 0"
    refused_before_the_first_step(one, y, fastdl.errors.ShapeError, message)


def test_targets_of_yes_or_no_are_all_looked_at_before_the_first_step():
    one = trainer(None, nn.BCEWithLogitsLoss(), outputs=1)
    y = np.zeros((90, 1), int)
    y[77] = 2
    refused_before_the_first_step(one, y, ArgumentError, "training targets.*got 2")
    one.fit(fastdl.data.DataLoader((X, y), 8, transform=lambda x, y, s: (x, y % 2)))


def test_labels_that_a_transform_makes():
    one = trainer(outputs=2)
    turned = fastdl.data.DataLoader(X, 8, transform=lambda x, y, seeds: (x, seeds % 2))
    one.fit(turned)
    assert len(one.history) == 1


def test_a_first_batch_that_weighs_nothing():
    one = trainer()
    one.fit((X, Y, np.r_[np.zeros(8), np.ones(82)]), batch_size=8, shuffle=False)
    assert len(one.history) == 1


def test_a_function_is_not_copied():
    class Keeps:
        """Remembers how many examples it has seen."""

        def __init__(self):
            self.seen = set()
            self.lock = threading.Lock()  # which can't be copied

        def error(self, y, outputs):
            self.seen.add(len(y))
            return float(np.mean(outputs.argmax(axis=1) != y))

    keeps = Keeps()
    assert trainer([keeps.error]).evaluate(X, Y)["error"] == whole(metrics.error_rate)
    assert 90 in keeps.seen


def test_a_loss_that_does_not_fit_is_found_before_the_first_step():
    one = trainer(None, nn.MSELoss())
    refused_before_the_first_step(one, Y, fastdl.errors.ShapeError, "mse_loss")
    one = trainer(None, nn.CrossEntropyLoss(reduction="none"))
    refused_before_the_first_step(one, Y, fastdl.errors.ShapeError, "reduction='mean'")


def test_an_output_at_the_threshold_is_a_no():
    for loss, threshold in ((nn.BCEWithLogitsLoss(), 0), (nn.BCELoss(), 0.5)):
        metric = as_seen(metrics.Accuracy(), loss)
        metric.update(np.array([0.0, 1.0]), np.full(2, threshold, np.float32))
        assert metric.result() == 0.5
        metric.update(np.zeros(2), np.full(2, threshold, np.float32))
        assert metric.result() == 0.75


def test_a_function_that_raises_for_a_half_may_be_a_mean():
    def function(y, p):
        if len(y) < 4:
            raise ValueError
        return 1.0

    assert metrics.MeanOf(function).is_a_mean(np.zeros(4), np.zeros(4))
