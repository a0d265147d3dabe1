"""Loss modules."""

import math

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((4, 3)).astype(np.float32)
TARGETS = RNG.random((4, 3)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("loss", "function", "targets"),
    [
        (nn.CrossEntropyLoss, F.cross_entropy, LABELS),
        (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, TARGETS),
        (nn.MSELoss, F.mse_loss, TARGETS),
    ],
    ids=["CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss"],
)
def test_loss_is_the_function(loss, function, targets, reduction):
    value = loss(reduction=reduction)(LOGITS, targets).numpy()
    expected = function(LOGITS, targets, reduction=reduction).numpy()
    np.testing.assert_array_equal(value, expected)


def test_cross_entropy_of_the_course():
    """S07: yhat = [0.3, 0.2, 0.1, 0.4] and class 1 cost -log 0.2."""
    logits = np.log(np.array([[0.3, 0.2, 0.1, 0.4]], np.float32))
    value = nn.CrossEntropyLoss()(logits, np.array([1])).item()
    assert value == pytest.approx(-math.log(0.2), rel=1e-6)


@pytest.mark.parametrize(
    "loss", [nn.CrossEntropyLoss, nn.BCEWithLogitsLoss, nn.MSELoss]
)
def test_unknown_reduction(loss):
    with pytest.raises(ArgumentError, match=r"unknown reduction 'avg'"):
        loss(reduction="avg")


def test_weights_and_smoothing_are_those_of_the_function():
    weights = np.array([0.5, 1.0, 0.0, 2.0], np.float32)
    loss = nn.CrossEntropyLoss(class_weight=np.array([1, 2, 3]), label_smoothing=0.1)
    expected = F.cross_entropy(
        LOGITS,
        LABELS,
        class_weight=[1, 2, 3],
        sample_weight=weights,
        label_smoothing=0.1,
    )
    assert loss(LOGITS, LABELS, sample_weight=weights).item() == expected.item()
    loss = nn.BCEWithLogitsLoss(pos_weight=[1, 2, 3], label_smoothing=0.1)
    expected = F.binary_cross_entropy_with_logits(
        LOGITS,
        TARGETS,
        pos_weight=[1, 2, 3],
        sample_weight=weights,
        label_smoothing=0.1,
    )
    assert loss(LOGITS, TARGETS, sample_weight=weights).item() == expected.item()


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, nn.BCEWithLogitsLoss])
@pytest.mark.parametrize("smoothing", [-0.1, 2, float("nan")])
def test_smoothing_lies_between_0_and_1(loss, smoothing):
    with pytest.raises(ArgumentError, match=f"{loss.__name__}: label_smoothing"):
        loss(label_smoothing=smoothing)


def test_weights_must_be_numbers():
    with pytest.raises(ArgumentError, match="CrossEntropyLoss: class_weight must be"):
        nn.CrossEntropyLoss(class_weight="balanced")


def test_weights_of_other_classes():
    loss = nn.CrossEntropyLoss(class_weight=[1, 2])
    with pytest.raises(ShapeError, match="one class_weight for each of the 3 classes"):
        loss(LOGITS, LABELS)
