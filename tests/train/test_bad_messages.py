"""What people type first, and the one line that the error tells them to change."""

import errno
import os
import re
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import datasets, metrics, nn, optim
from fastdl.data import DataLoader
from fastdl.errors import DataError, FastdlError
from fastdl.train import Callback, EarlyStopping, LearningRateLog, Schedule, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
LABELS = np.arange(40) % 3
NUMBERS = RNG.normal(size=(40, 1)).astype(np.float32)
ANSWERS = (X[:, 0] > 0).astype(int)
MULTI_HOT = np.ones((40, 3), int)


class ForKeras(Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


class OfBatches(Callback):
    def on_train_batch_end(self, trainer, step):
        pass


class OfSteps(Callback):
    def on_step_end(self, trainer, step):
        pass


class WithoutRow(Callback):
    def on_epoch_end(self, trainer):
        pass


def pinball(y_true, y_pred):
    return (y_true - y_pred).mean()


def not_of_seven(y_true, y_pred):
    if len(y_true) == 7:
        raise DataError("these are seven")
    return 0.0


class Pair(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x), self.layer(x)


def trainer(outputs=3, loss=None, **options):
    fastdl.manual_seed(0)
    return Trainer(nn.Linear(3, outputs), loss, **options)


def fit(x, y=None, outputs=3, loss=None, **options):
    return trainer(outputs, loss).fit(x, y, **options)


def trained():
    one = trainer()
    one.fit(X, LABELS)
    return one


def step_with_gradient(gradient):
    model = nn.Linear(3, 3)
    optimizer = optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = gradient
    optimizer.step()


BCE = nn.BCEWithLogitsLoss()
MESSAGES = {
    "a third place": (
        lambda: trainer().fit(X, LABELS, 5),
        r"fit: options are given by name (epochs=, batch_size=, validation=, ...), and "
        r"only x and y without; got 5 in place 3",
    ),
    "a third place of evaluate": (
        lambda: trainer().evaluate(X, LABELS, 64),
        "evaluate: options are given by name (batch_size=, sample_weight=, steps=, "
        "...), and only x and y without; got 64 in place 3",
    ),
    "numbers, and the default loss": (
        lambda: fit(X, NUMBERS),
        "training labels are numbers such as 0.787588, not classes. For regression "
        "give the loss: Trainer(model, nn.MSELoss())",
    ),
    "a number, and the default loss": (
        lambda: fit(X, NUMBERS[:, 0], 1),
        "the cross-entropy needs one logit for each class, but the model has one "
        "output. For regression give the loss: Trainer(model, nn.MSELoss()), and give "
        "y.reshape(-1, 1)",
    ),
    "as many numbers as outputs, and the default loss": (
        lambda: fit(X, X),
        "are they numbers rather than classes? For regression give the loss: "
        "Trainer(model, nn.MSELoss())",
    ),
    "yes or no, and the default loss": (
        lambda: fit(X, ANSWERS, 1),
        "but the model has one output. For yes or no give the loss: Trainer(model, "
        "nn.BCEWithLogitsLoss()), and give y.reshape(-1, 1)",
    ),
    "yes or no as numbers, and the default loss": (
        lambda: fit(X, ANSWERS[:, np.newaxis].astype(np.float32), 1),
        "For yes or no give the loss: Trainer(model, nn.BCEWithLogitsLoss())",
    ),
    "y without the axis of the output": (
        lambda: fit(X, ANSWERS, 1, BCE),
        "fit: training y has shape (40,), but the model has one output for each "
        "example, (40, 1); give y.reshape(-1, 1)",
    ),
    "an accuracy that is not measured": (
        lambda: fit(
            *(X, LABELS),
            validation=(X, LABELS),
            callbacks=[EarlyStopping("val_acc")],
        ),
        "EarlyStopping: there is no 'val_acc'; did you mean 'val_accuracy'?",
    ),
    "a measure of validation data that there are not": (
        lambda: fit(X, LABELS, callbacks=[EarlyStopping()]),
        "there is no 'val_loss'; give fit validation data, or watch 'loss'",
    ),
    "a class without a weight": (
        lambda: fit(X, LABELS, class_weight={0: 1.0}),
        "class_weight has nothing for class 1, which is among the labels",
    ),
    "several labels, and the default loss": (
        lambda: fit(X, MULTI_HOT),
        "row 0 sums to 3, but the probabilities of the classes sum to 1; if an example "
        "can have several labels or none, use BCEWithLogitsLoss",
    ),
    "a list of two inputs": (
        lambda: fit([X, X], LABELS),
        "x is a list of 2 arrays; several inputs are a tuple, fit((a, b), y)",
    ),
    "a list of two inputs of other shapes": (
        lambda: trainer().evaluate([X, X[:, :2]], LABELS),
        "x is a list of 2 arrays; several inputs are a tuple, evaluate((a, b), y)",
    ),
    "a model of two outputs": (
        lambda: Trainer(Pair()).fit(X, LABELS),
        "the model returns output[0], output[1], but the loss CrossEntropyLoss takes "
        "one of them; give a dict of losses",
    ),
    "one callback": (
        lambda: fit(X, LABELS, callbacks=EarlyStopping()),
        "callbacks are a list, such as [EarlyStopping()], got EarlyStopping",
    ),
    "the class of a callback": (
        lambda: fit(X, LABELS, callbacks=[EarlyStopping]),
        "callbacks must be Callback objects, such as EarlyStopping(), got <class",
    ),
    "one metric": (
        lambda: trainer(metrics="accuracy"),
        "metrics are a list, got 'accuracy'",
    ),
    "a metric of each class": (
        lambda: trainer(metrics=[partial(metrics.f1, average=None)]).fit(X, LABELS),
        "metric 'f1' must give one number, got array([",
    ),
    "validation data of another shape": (
        lambda: fit(X, LABELS, validation=(X[:, :2], LABELS)),
        "fit: validation data ((2,) for each example, not (3,)): linear: x of shape",
    ),
    "validation data that a metric refuses": (
        lambda: trainer(metrics=[not_of_seven]).fit(
            X, LABELS, validation=(X[:7], LABELS[:7])
        ),
        "fit: validation data: Trainer: metric 'not_of_seven': these are seven",
    ),
    "validation data of other lengths": (
        lambda: fit(X, LABELS, validation=(X[:9], LABELS)),
        "fit: validation data: ArrayDataset: x has 9 examples but y has 40",
    ),
    "validation data in a list": (
        lambda: fit(X, LABELS, validation=[X, LABELS]),
        "fit: validation data: data must be an array x, a tuple (x, y)",
    ),
    "a share as validation data": (
        lambda: fit(X, LABELS, validation=0.2),
        "to keep a share of x for that give validation_split=0.2",
    ),
    "a validation set and its test set": (
        lambda: fit(X, LABELS, validation=datasets.load("digits")),
        "got Splits; give a part of it, .train or .test",
    ),
    "a loss called before it is made": (
        lambda: nn.CrossEntropyLoss(nn.Linear(3, 3)(X), LABELS),
        "CrossEntropyLoss: make the loss before it is called, "
        "nn.CrossEntropyLoss()(outputs, y)",
    ),
    "a loss of numbers called before it is made": (
        lambda: nn.MSELoss(NUMBERS, NUMBERS),
        "MSELoss: make the loss before it is called, nn.MSELoss()(outputs, y)",
    ),
    "a gradient of another shape": (
        lambda: step_with_gradient(np.ones((2, 2), np.float32)),
        "a gradient is float32 of shape (2, 2), but its parameter is float32 of shape "
        "(3, 3); what was assigned to .grad?",
    ),
    "a loss in the order of Keras": (
        lambda: trainer(1, pinball),
        "a loss is called as (outputs, y), but pinball takes y_true first; exchange "
        "them: def pinball(y_pred, y_true)",
    ),
    "a callback of Keras": (
        lambda: fit(X, LABELS, callbacks=[ForKeras()]),
        "ForKeras.on_epoch_end takes (self, epoch, logs), but it is called as (self, "
        "trainer, row)",
    ),
    "a callback that takes too little": (
        lambda: fit(X, LABELS, callbacks=[WithoutRow()]),
        "WithoutRow.on_epoch_end takes (self, trainer), but it is called as (self, "
        "trainer, row)",
    ),
    "a method that nothing calls": (
        lambda: fit(X, LABELS, callbacks=[OfBatches()]),
        "nothing calls OfBatches.on_train_batch_end; did you mean 'on_batch_end'?",
    ),
    "a method of another word that nothing calls": (
        lambda: fit(X, LABELS, callbacks=[OfSteps()]),
        "nothing calls OfSteps.on_step_end; did you mean 'on_batch_end'?",
    ),
    "masked values": (
        lambda: fit(np.ma.masked_less(X, -2), LABELS),
        "x is a masked array, and 3 of its values are masked; fill them, x.filled",
    ),
    "logits as probabilities": (
        lambda: metrics.roc_auc(ANSWERS, X[:, :2]),
        "so it is no probabilities; of logits give logits=True",
    ),
    "a last batch of one row under batch norm": (
        lambda: Trainer(nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))).fit(
            X, LABELS, batch_size=13
        ),
        "the last of the batches of 13 has one example, and layer '0' (BatchNorm1d) "
        "needs more; take another batch_size than 13",
    ),
    "x of another shape than in training": (
        lambda: trained().predict(X[:, :2]),
        "predict: x has shape (2,) for each example, but the model was built for (3,)",
    ),
    "x of another shape, to be measured": (
        lambda: trained().evaluate(X[:, :2], LABELS),
        "evaluate: x has shape (2,) for each example, but the model was built for (3,)",
    ),
    "labels as batch size": (
        lambda: DataLoader(X, LABELS),
        "the second place is for batch_size, got an array",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_says_what_to_change(case):
    do, message = MESSAGES[case]
    with pytest.raises((FastdlError, TypeError), match=re.escape(message)):
        do()


def test_a_full_disk(tmp_path, monkeypatch):
    """Told as Python tells it, with the path."""

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "checkpoint.safetensors"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        fit(X, LABELS, checkpoint=path)
    assert caught.value.filename == str(path)


def test_booleans_are_labels():
    expected = trainer(2).evaluate(X, ANSWERS)
    assert trainer(2).evaluate(X, ANSWERS.astype(bool)) == expected
    one, other = trainer(2), trainer(2)
    one.fit(X, ANSWERS.astype(bool))
    other.fit(X, ANSWERS)
    assert one.history["loss"] == other.history["loss"]


def test_the_class_of_a_metric():
    """As its name: of logits."""
    column = ANSWERS[:, np.newaxis]
    one = trainer(1, BCE, metrics=[metrics.RocAuc])
    other = trainer(1, BCE, metrics=["roc_auc"])
    assert one.evaluate(X, column) == other.evaluate(X, column)


@pytest.mark.parametrize("metric", [metrics.RocAuc(), metrics.AveragePrecision()])
def test_a_metric_takes_the_logits_of_the_trainer(metric):
    one = trainer(2, metrics=[metric])
    by_name = trainer(2, metrics=[metric.name])
    assert one.evaluate(X, ANSWERS) == by_name.evaluate(X, ANSWERS)
    assert not metric.logits


def test_a_function_of_epochs_counts_epochs():
    rates = {}
    for argument, rule in (
        ("epoch", lambda epoch: 0.1 / epoch),
        ("t", lambda t: 0.1 / t),
    ):
        one = trainer()
        callbacks = [LearningRateLog(), Schedule(rule)]
        one.fit(X, LABELS, epochs=3, batch_size=8, callbacks=callbacks)
        rates[argument] = one.history["learning_rate"]
    assert rates["epoch"] == pytest.approx([0.1, 0.1 / 2, 0.1 / 3])
    assert rates["t"] == pytest.approx([0.1 / 5, 0.1 / 10, 0.1 / 15])


def test_a_last_row_that_is_left_out():
    """Or that nothing is wrong with."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))
    loader = DataLoader((X, LABELS), 13, drop_last=True)
    assert len(Trainer(model).fit(loader)) == 1
    assert len(Trainer(model).fit(X, LABELS, batch_size=12)) == 1
    assert len(trainer().fit(X, LABELS, batch_size=13)) == 1


def test_flattened_bytes_are_told():
    pictures = RNG.integers(0, 256, (40, 48), np.uint8)
    with pytest.warns(
        UserWarning, match="rows of 48 bytes up to 255.*Give x / 255"
    ) as w:
        Trainer(nn.Linear(48, 3)).fit(pictures, LABELS)
    assert w[0].filename == __file__


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "x",
    [
        RNG.integers(0, 256, (40, 20), np.uint8),
        RNG.integers(0, 100, (40, 48), np.uint8),
        RNG.integers(0, 256, (40, 48)) / 255,
    ],
    ids=["few", "small", "scaled"],
)
def test_tables_are_no_pictures(x):
    Trainer(nn.Linear(None, 3)).fit(x, LABELS)
