"""The loss of a set is the same, however its examples are cut into batches."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn, optim
from fastdl.errors import ArgumentError
from fastdl.train import Trainer

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 4)).astype(np.float32)
LABELS = (RNG.random(60) < 0.2).astype(int)
LABELS[:20] = 0  # batches differ
ROWS = RNG.dirichlet([1, 1], 60).astype(np.float32)
MISSING = np.where(RNG.random((60, 2)) < 0.6, np.nan, ROWS).astype(np.float32)
MISSING[:7] = np.nan  # a batch without any
MARKED = np.where(RNG.random(60) < 0.4, -100, LABELS)
MARKED[:7] = -100
WEIGHT = RNG.integers(0, 4, 60).astype(np.float32)
CASES = {
    "class_weight": (nn.CrossEntropyLoss(class_weight=[1, 10]), LABELS),
    "ignore_index": (nn.CrossEntropyLoss(ignore_index=-100), MARKED),
    "ignore_index, class_weight": (
        nn.CrossEntropyLoss(class_weight=[1, 10], ignore_index=-100),
        MARKED,
    ),
    "rows": (nn.CrossEntropyLoss(class_weight=[1, 10], label_smoothing=0.1), ROWS),
    "function": (partial(F.cross_entropy, class_weight=[1, 10]), LABELS),
    "missing": (nn.BCEWithLogitsLoss(pos_weight=3), MISSING),
    "missing, function": (F.binary_cross_entropy_with_logits, MISSING),
    "squares": (nn.MSELoss(), ROWS),
    "magnitudes": (nn.L1Loss(), ROWS),
    "robust": (partial(F.huber_loss, delta=0.1), ROWS),
    "focal": (nn.FocalLoss(alpha=[1, 10]), LABELS),
    "focal, missing": (F.sigmoid_focal_loss, MISSING.round()),
    "overlap, missing": (nn.DiceLoss(), MISSING),
    "own": (lambda outputs, y, weight=None: F.mse_loss(outputs, y), ROWS),
}


def still(loss, **options):
    """A trainer whose steps change nothing."""
    fastdl.manual_seed(0)
    model = nn.Linear(4, 2)
    return Trainer(model, loss, partial(optim.SGD, lr=1e-30), metrics=(), **options)


@pytest.mark.parametrize("penalties", [(), (nn.L2(0.3),)])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("case", [case for case in CASES if case != "own"])
def test_the_batch_size_does_not_change_it(case, weight, penalties):
    loss, y = CASES[case]
    trainer = still(loss, regularization=penalties)
    given = (X, y) if weight is None else (X, y, weight)
    whole = trainer.evaluate(given, batch_size=60)["loss"]
    for batch_size in (50, 7, 1):
        measured = trainer.evaluate(given, batch_size=batch_size)["loss"]
        assert measured == pytest.approx(whole, rel=1e-5)
        assert type(measured) is float
        trainer.fit(given, validation=given, batch_size=batch_size)
        assert trainer.history["loss"][-1] == pytest.approx(whole, rel=1e-5)
        assert trainer.history["val_loss"][-1] == pytest.approx(whole, rel=1e-5)
        assert type(trainer.history["loss"][-1]) is float


def test_the_loss_of_a_set_without_targets_is_the_penalty():
    nothing = np.full((60, 2), np.nan, np.float32)
    trainer = still(nn.BCEWithLogitsLoss(), regularization=nn.L2(0.3))
    penalty = nn.L2(0.3)(trainer.model).item()
    assert trainer.evaluate(X, nothing, batch_size=7)["loss"] == pytest.approx(penalty)


def test_a_loss_of_ones_own_tells_what_it_divides_by():
    class Present(nn.Module):
        def forward(self, outputs, y):
            there = ~np.isnan(y)
            squares = (outputs - np.nan_to_num(y)) ** 2 * there.astype(y.dtype)
            return squares.sum() / max(there.sum(), 1)

        def count(self, y, weight=None):
            return (~np.isnan(y)).sum()

    trainer = still(Present())
    whole = trainer.evaluate(X, MISSING, batch_size=60)["loss"]
    assert trainer.evaluate(X, MISSING, batch_size=7)["loss"] == pytest.approx(whole)


@pytest.mark.parametrize("case", CASES)
def test_other_losses_count_by_their_examples(case):
    """A sum is averaged over batches by their length, as it always was."""
    loss, y = CASES[case]
    if isinstance(loss, nn.Module):
        options = loss.config() | {"reduction": "sum"}
        assert type(loss)(**options).count(y) == 60
        assert type(loss)(**options).count(y, WEIGHT) == WEIGHT.sum()


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (F.cross_entropy, LABELS),
        (partial(F.cross_entropy, label_smoothing=0.1), LABELS),
        (partial(F.cross_entropy, sample_weight=np.ones(60)), LABELS),
        (F.binary_cross_entropy_with_logits, ROWS),
        (F.mse_loss, ROWS),
    ],
)
def test_functions_get_the_weights_by_name(loss, y):
    options = loss.keywords if isinstance(loss, partial) else {}
    function = loss.func if isinstance(loss, partial) else loss
    trainer = still(loss)
    options = options | {"sample_weight": WEIGHT}
    expected = function(trainer.model(X), y, **options).item()
    assert trainer.evaluate((X, y, WEIGHT))["loss"] == pytest.approx(expected)
    trainer.fit((X, y, WEIGHT))


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda outputs, y: 0.5, "the loss <lambda> .* got float"),
        (lambda outputs, y: ((outputs.numpy() - y) ** 2).mean(), "got float32"),
        (lambda outputs, y: None, "got NoneType"),
    ],
)
def test_a_loss_that_is_no_tensor(loss, got):
    with pytest.raises(ArgumentError, match=got):
        still(loss).fit(X, ROWS)
