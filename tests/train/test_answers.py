"""The accuracy of one logit, of several labels, of pixels; labels that are ignored."""

import numpy as np
import pytest

from fastdl import metrics, nn
from fastdl.errors import DataError, ShapeError
from fastdl.train import Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype(np.float32)


class Same(nn.Module):
    """Returns its input: outputs are what a test says they are."""

    def __init__(self):
        self.scale = nn.Parameter(np.ones(1, np.float32))

    def forward(self, x):
        return x * self.scale


def measured(outputs, y, loss, *names):
    """What `evaluate` measures, for any size of batch."""
    one = Trainer(Same(), loss, metrics=list(names) or None)
    whole, parts = (one.evaluate(outputs, y, batch_size=size) for size in (64, 7))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert parts[name] == pytest.approx(value, rel=1e-5)
    return whole


Z = X[:, :1]
YES = (RNG.random((20, 1)) > 0.5).astype(np.float32)


@pytest.mark.parametrize("y", [YES, YES.astype(int), YES.astype(bool)])
def test_one_logit(y):
    values = measured(Z, y, "bce_with_logits", "accuracy", "error_rate", "f1", "auc")
    labels, answers = YES[:, 0].astype(int), (Z[:, 0] > 0).astype(int)
    assert values["accuracy"] == metrics.accuracy(labels, answers)
    assert values["error_rate"] == 1 - values["accuracy"]
    assert values["f1"] == metrics.f1(labels, answers, "macro")
    assert values["auc"] == pytest.approx(metrics.roc_auc(labels, Z[:, 0]))


def test_one_logit_without_an_axis():
    values = measured(Z[:, 0], YES[:, 0], nn.BCEWithLogitsLoss(), "accuracy")
    assert values["accuracy"] == np.mean((Z > 0) == YES)


def test_a_probability():
    p = 1 / (1 + np.exp(-Z))
    of_logits = measured(Z, YES, "bce_with_logits")["accuracy"]
    assert measured(p, YES, "bce")["accuracy"] == of_logits


def test_several_labels():
    """The share of right answers."""
    y = (RNG.random(X.shape) > 0.5).astype(int)
    values = measured(X, y, "bce_with_logits", "accuracy", "hamming_loss")
    assert values["accuracy"] == np.mean((X > 0) == y)
    assert values["accuracy"] == pytest.approx(1 - values["hamming_loss"])


def test_missing_answers_do_not_count():
    y = (RNG.random(X.shape) > 0.5).astype(np.float32)
    y[RNG.random(X.shape) > 0.5] = np.nan
    y[:7] = np.nan  # a whole batch
    known = ~np.isnan(y)
    accuracy = measured(X, y, "bce_with_logits")["accuracy"]
    assert accuracy == np.mean(((X > 0) == y)[known])


def test_no_answer_at_all():
    with pytest.raises(DataError, match="accuracy: no examples"):
        measured(X, np.full(X.shape, np.nan), "bce_with_logits")


@pytest.mark.parametrize("as_rows", [False, True])
def test_pixels(as_rows):
    outputs = RNG.normal(size=(10, 4, 5, 3)).astype(np.float32)
    y = RNG.integers(0, 3, (10, 4, 5))
    given = np.eye(3)[y] if as_rows else y
    values = measured(outputs, given, None, "accuracy", "f1_macro")
    flat = outputs.reshape(-1, 3)
    assert values["accuracy"] == np.mean(outputs.argmax(-1) == y)
    assert values["f1_macro"] == metrics.f1(y.ravel(), flat, "macro")


def test_masks():
    outputs = RNG.normal(size=(10, 4, 5, 1)).astype(np.float32)
    y = RNG.integers(0, 2, outputs.shape)
    accuracy = measured(outputs, y, "bce_with_logits")["accuracy"]
    assert accuracy == np.mean((outputs > 0) == y)


@pytest.mark.parametrize("shape", [(20,), (20, 2, 3)])
def test_ignored_labels_do_not_count(shape):
    outputs = RNG.normal(size=(*shape, 4)).astype(np.float32)
    y = RNG.integers(0, 4, shape)
    y[RNG.random(shape) > 0.6] = -100
    y[:7] = -100  # a whole batch
    loss = nn.CrossEntropyLoss(ignore_index=-100)
    values = measured(outputs, y, loss, "accuracy", "f1_micro")
    known = y != -100
    assert values["accuracy"] == np.mean((outputs.argmax(-1) == y)[known])
    assert values["f1_micro"] == pytest.approx(values["accuracy"])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (None, ["accuracy"]),
        ("bce_with_logits", ["accuracy"]),
        ("bce", ["accuracy"]),
        (nn.FocalLoss(), ["accuracy"]),
        (nn.SigmoidFocalLoss(), ["accuracy"]),
        ("mse", []),
        (nn.HuberLoss(), []),
    ],
)
def test_measured_by_default(loss, expected):
    assert list(Trainer(Same(), loss).metrics) == expected


def test_f1_of_several_labels_has_a_name_of_its_own():
    y = np.ones(X.shape, int)
    with pytest.raises((DataError, ShapeError), match="Trainer: metric 'f1'"):
        measured(X, y, "bce_with_logits", "f1")


def test_merged_and_fresh():
    one, other = (Trainer(Same(), "bce").metrics["accuracy"] for _ in range(2))
    one.update(np.ones((3, 2)), np.full((3, 2), 0.9))
    other.update(np.ones((3, 2)), np.full((3, 2), 0.1))
    one.merge(other)
    assert one.result() == 0.5
    assert one.name == "accuracy"
    with pytest.raises(DataError):
        one.fresh().result()
    assert one.result() == 0.5
