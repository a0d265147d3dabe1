"""Losses, optimisers, metrics and schedules by name, by class, or as they are."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import metrics, nn, optim
from fastdl.errors import ArgumentError
from fastdl.train import OPTIMIZERS, SCHEDULES, Schedule, Trainer
from fastdl.train.losses import _BY_NAME, as_module

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2)).astype(np.float32)
Y = np.arange(24) % 2


def trainer(loss=None, optimizer=None, named=None, **options):
    fastdl.manual_seed(0)
    return Trainer(nn.Linear(2, 2), loss, optimizer, named, **options)


def rate(one):
    return one.optimizer.param_groups[0]["lr"]


# Losses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mse", nn.MSELoss),
        ("mse_loss", nn.MSELoss),
        ("mae", nn.L1Loss),
        ("huber", nn.HuberLoss),
        ("cross_entropy", nn.CrossEntropyLoss),
        ("sparse_categorical_crossentropy", nn.CrossEntropyLoss),
        ("bce_with_logits", nn.BCEWithLogitsLoss),
        ("binary_cross_entropy_with_logits", nn.BCEWithLogitsLoss),
        # Of probabilities, in PyTorch and Keras alike.
        ("binary_cross_entropy", nn.BCELoss),
        ("binary_crossentropy", nn.BCELoss),
    ],
)
def test_loss(name, kind):
    for given in (name, kind, kind()):
        assert type(trainer(given).loss) is kind


@pytest.mark.parametrize("name", sorted(_BY_NAME.keys() & set(F.__all__)))
def test_a_loss_has_the_name_of_its_function(name):
    assert type(as_module(getattr(F, name))) is _BY_NAME[name]


def test_losses_of_tasks():
    losses = trainer({"a": "cross_entropy", "b": nn.MSELoss}).loss.losses
    assert isinstance(losses["a"], nn.CrossEntropyLoss)
    assert isinstance(losses["b"], nn.MSELoss)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("mse_los", "unknown loss 'mse_los'; did you mean 'mse_loss'"),
        ("x", "unknown loss 'x'; choose from 'binary_cross_entropy', "),
        (nn.Linear, "loss must be a loss such as nn.MSELoss"),
        (dict, "loss must be a loss such as nn.MSELoss"),
    ],
)
def test_no_loss(loss, message):
    with pytest.raises(ArgumentError, match=f"Trainer: {message}"):
        trainer(loss)


# Optimisers ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    make, usual = OPTIMIZERS[name]
    one = trainer(optimizer=name)
    assert type(one.optimizer) is type(make(nn.Linear(2, 2).parameters(), lr=1.0))
    assert rate(one) == usual
    assert rate(trainer(optimizer=name, lr=0.03)) == 0.03


@pytest.mark.parametrize("make", [None, optim.SGD, partial(optim.Adam, amsgrad=True)])
def test_the_rate_of_what_is_made(make):
    assert rate(trainer(optimizer=make, lr=0.03)) == 0.03


def test_an_optimizer_has_its_rate():
    model = nn.Linear(2, 2)
    made = optim.SGD(model.parameters(), lr=0.1)
    assert Trainer(model, optimizer=made).optimizer is made
    with pytest.raises(ArgumentError, match="lr is for an optimiser that is made here"):
        Trainer(model, optimizer=made, lr=0.1)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ("adamm", "unknown optimizer 'adamm'; did you mean 'adam'"),
        ("x", "unknown optimizer 'x'; choose from 'sgd', "),
        (5, "optimizer must be an optimiser or make one from parameters"),
    ],
)
def test_no_optimizer(optimizer, message):
    with pytest.raises(ArgumentError, match=f"Trainer: {message}"):
        trainer(optimizer=optimizer)


def test_by_name_as_by_hand():
    one = trainer("cross_entropy", "sgd", ["acc"], lr=0.1)
    other = trainer(nn.CrossEntropyLoss(), partial(optim.SGD, lr=0.1))
    one.fit(X, Y, epochs=2, validation=(X, Y))
    other.fit(X, Y, epochs=2, validation=(X, Y))
    for ours, theirs in (("loss", "loss"), ("acc", "accuracy")):
        assert one.history[ours] == other.history[theirs]
        assert one.history[f"val_{ours}"] == other.history[f"val_{theirs}"]


# Metrics ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("f1_macro", metrics.F1("macro")),
        ("f1_micro", metrics.F1("micro")),
        ("precision_weighted", metrics.Precision("weighted")),
        ("recall_binary", metrics.Recall("binary")),
        ("balanced_accuracy", metrics.Recall("macro")),
        ("multilabel_f1_micro", metrics.MultilabelF1("micro", threshold=0.0)),
        ("acc", metrics.Accuracy()),
        ("top_3_accuracy", metrics.TopKAccuracy(3)),
        ("mae", metrics.MeanAbsoluteError()),
        ("mse", metrics.MeanSquaredError()),
        ("r2", metrics.R2Score()),
        ("auc", metrics.RocAuc(logits=True)),
    ],
)
def test_metric(name, metric):
    made = metrics.as_metric(name)
    assert type(made) is type(metric)
    assert made._settings() == metric._settings()


def test_a_metric_of_labels_has_no_binary_average():
    with pytest.raises(ArgumentError, match="unknown metric 'multilabel_f1_binary'"):
        metrics.as_metric("multilabel_f1_binary")


# Schedules ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_begins_with_the_rate_of_the_optimizer(name):
    one, other = trainer(lr=0.03), trainer(lr=0.03)
    one.fit(X, Y, epochs=3, batch_size=8, callbacks=[Schedule(name)])
    rule = SCHEDULES[name](0.03)
    other.fit(X, Y, epochs=3, batch_size=8, callbacks=[Schedule(rule)])
    assert one.history["loss"] == other.history["loss"]
    assert rate(one) == 0.03


def test_a_misspelt_schedule():
    with pytest.raises(ArgumentError, match="schedule 'cosin'; did you mean 'cosine"):
        Schedule("cosin")


def test_a_checkpoint_knows_the_rate_of_a_schedule_by_name(tmp_path):
    path = tmp_path / "checkpoint.safetensors"

    def fit(epochs, lr, name="cosine", **options):
        one = trainer(lr=lr)
        callbacks = [Schedule(name)]
        one.fit(X, Y, epochs=epochs, checkpoint=path, callbacks=callbacks, **options)

    fit(2, 0.03)
    with pytest.raises(ArgumentError, match=r"lr\.first: 0\.03, now 0\.01"):
        fit(2, 0.01, resume=True)
    with pytest.raises(ArgumentError, match="'cosine', now 'one_cycle'"):
        fit(2, 0.03, "one_cycle", resume=True)
    fit(2, 0.03, resume=True)
