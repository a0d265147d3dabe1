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
ROWS = RNG.dirichlet([1, 1, 1], 4).astype(np.float32)
MASKS = RNG.random((4, 5, 3)).astype(np.float32), RNG.integers(0, 3, (4, 5))
TRIPLETS = RNG.standard_normal((3, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("loss", "function", "arguments", "options"),
    [
        (nn.CrossEntropyLoss, F.cross_entropy, (LOGITS, LABELS), {}),
        (
            nn.BCEWithLogitsLoss,
            F.binary_cross_entropy_with_logits,
            (LOGITS, TARGETS),
            {},
        ),
        (
            nn.CrossEntropyLoss,
            F.cross_entropy,
            (LOGITS.reshape(4, 1, 1, 3), LABELS.reshape(4, 1, 1)),
            {"ignore_index": 1},
        ),
        (
            nn.NLLLoss,
            F.nll_loss,
            (F.log_softmax(LOGITS), LABELS),
            {"class_weight": [1, 2, 3], "ignore_index": 1},
        ),
        (nn.BCELoss, F.binary_cross_entropy, (TARGETS, TARGETS.round()), {}),
        (nn.MSELoss, F.mse_loss, (LOGITS, TARGETS), {}),
        (nn.L1Loss, F.l1_loss, (LOGITS, TARGETS), {}),
        (nn.HuberLoss, F.huber_loss, (LOGITS, TARGETS), {"delta": 0.3}),
        (
            nn.FocalLoss,
            F.focal_loss,
            (LOGITS, LABELS),
            {"gamma": 1.5, "alpha": [1.0, 2, 3]},
        ),
        (
            nn.SigmoidFocalLoss,
            F.sigmoid_focal_loss,
            (LOGITS, TARGETS.round()),
            {"gamma": 1.5, "alpha": 0.4},
        ),
        (nn.DiceLoss, F.dice_loss, MASKS, {"smooth": 0.5}),
        (
            nn.TripletMarginLoss,
            F.triplet_margin_loss,
            TRIPLETS,
            {"margin": 0.5, "p": 1},
        ),
        (nn.KLDivLoss, F.kl_div, (F.log_softmax(LOGITS), ROWS), {}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_loss_is_the_function(loss, function, arguments, options, reduction):
    weight = [0.5, 1, 0, 2]
    for weights in ({}, {"sample_weight": weight}):
        value = loss(reduction=reduction, **options)(*arguments, **weights).numpy()
        expected = function(*arguments, reduction=reduction, **options, **weights)
        np.testing.assert_array_equal(value, expected.numpy())


LOSSES = [
    getattr(nn, name)
    for name in nn.__all__
    if name.endswith("Loss") and name != "MultiTaskLoss"  # it sums those of others
]


def test_cross_entropy_of_the_course():
    """S07: yhat = [0.3, 0.2, 0.1, 0.4] and class 1 cost -log 0.2."""
    logits = np.log(np.array([[0.3, 0.2, 0.1, 0.4]], np.float32))
    value = nn.CrossEntropyLoss()(logits, np.array([1])).item()
    assert value == pytest.approx(-math.log(0.2), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
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


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_weights_must_be_numbers(loss):
    with pytest.raises(ArgumentError, match=f"{loss.__name__}: class_weight must be"):
        loss(class_weight="balanced")
    with pytest.raises(ArgumentError, match=f"{loss.__name__}: ignore_index is"):
        loss(ignore_index=-1.0)


def test_weights_of_other_classes():
    loss = nn.CrossEntropyLoss(class_weight=[1, 2])
    with pytest.raises(ShapeError, match="one class_weight for each of the 3 classes"):
        loss(LOGITS, LABELS)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (nn.HuberLoss, {"delta": 0}),
        (nn.FocalLoss, {"gamma": -1}),
        (nn.SigmoidFocalLoss, {"gamma": float("nan")}),
        (nn.SigmoidFocalLoss, {"alpha": 1.5}),
        (nn.DiceLoss, {"smooth": 0}),
        (nn.TripletMarginLoss, {"margin": -1}),
        (nn.TripletMarginLoss, {"p": "2"}),
        (nn.FocalLoss, {"alpha": "balanced"}),
    ],
)
def test_options_out_of_range(loss, options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"^{loss.__name__}: {name}"):
        loss(**options)


def test_counts():
    """What a mean divides by, with and without weights of the examples."""
    missing = np.array([[1, np.nan], [np.nan, np.nan], [0, 1]])
    for loss, y, count, weighted in (
        (nn.L1Loss(), missing, 6, 12),
        (nn.HuberLoss("sum"), missing, 3, 6),
        (nn.FocalLoss(alpha=[1, 9]), np.array([0, 1, 1]), 3, 6),
        (nn.SigmoidFocalLoss(), missing, 3, 7),
        (nn.DiceLoss(), missing, 2, 4),
        (nn.DiceLoss(), np.zeros((3, 4, 4), int), 3, 6),
        (nn.KLDivLoss(), missing, 3, 6),
        (nn.BCELoss(), missing, 3, 7),
        (nn.CrossEntropyLoss(ignore_index=9), np.array([0, 9, 1]), 2, 4),
        (nn.CrossEntropyLoss("sum", ignore_index=9), np.array([0, 9, 1]), 3, 6),
        (nn.CrossEntropyLoss(class_weight=[1, 9]), np.zeros((3, 4, 5), int), 60, 120),
        (nn.CrossEntropyLoss(), np.ones((3, 4, 5, 2)), 60, 120),
        (
            nn.NLLLoss(class_weight=[1, 9], ignore_index=-1),
            np.array([[1, 0], [-1, 1], [0, -1]]),
            20,
            31,
        ),
        (nn.TripletMarginLoss(), missing, 3, 6),
    ):
        assert loss.count(y) == count
        assert loss.count(y, [1, 2, 3]) == weighted
        assert loss.count(y[:0]) == 0


def test_the_usual_focal_losses():
    """Lin et al. 2017, section 5.1: gamma 2, and a quarter of the weight for yes."""
    assert (nn.FocalLoss().gamma, nn.FocalLoss().alpha) == (2, None)
    assert (nn.SigmoidFocalLoss().gamma, nn.SigmoidFocalLoss().alpha) == (2, 0.25)
