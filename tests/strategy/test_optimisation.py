"""What a loss curve says about the learning rate."""

import math

import pytest

from fastdl.strategy import symptoms
from fastdl.train import History


def history(*losses):
    made = History()
    made.rows = [{"epoch": i, "loss": loss} for i, loss in enumerate(losses, 1)]
    return made


def names(*losses, **options):
    return [symptom.name for symptom in symptoms(history(*losses), **options)]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((), []),
        ((2.0, 1.9), []),
        ((2.0, 1.0, 0.8, 0.7, 0.66, 0.64, 0.63, 0.63), []),
        ((2.0, 1.0, 0.9, 0.898, 0.899, 0.898, 0.8985), []),  # a plateau wavers a little
        ((2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.01), ["still falling"]),
        ((1.5, 0.5, 0.49, 0.43, 0.6, 0.46, 0.49, 0.44, 0.53), ["rate too high"]),
        ((2.0, 1.0, 0.5, 0.6, 0.8, 1.2, 1.8), ["rate too high"]),
        ((0.0, 0.0, 0.0, 0.0, 0.0), []),
        ((2.0, math.nan, 1.0, 0.9, 0.88, 0.87, 0.87), []),
    ],
)
def test_form_of_the_curve(losses, expected):
    assert names(*losses) == expected


def test_dropout_and_augmentation_make_it_waver():
    """The loss without them, far below, tells that they are there."""
    losses = (2.0, 1.0, 0.8, 0.81, 0.8, 0.815, 0.8, 0.82)
    assert names(*losses, loss=0.5) == []
    assert names(*losses, loss=0.8) == ["rate too high"]
    assert names(*losses) == []


def test_no_better_than_a_constant_prediction():
    stuck = {"loss": 2.31, "constant": 2.30}
    assert names(7.0, 2.33, 2.33, 2.34, 2.33, **stuck) == ["rate too high"]
    assert names(2.35, 2.34, 2.33, 2.32, 2.31, **stuck) == ["rate too low"]
    assert names(**stuck) == ["rate too high"]
    assert names(2.3, 1.9, 1.8, 1.75, 1.74, loss=1.7, constant=2.3) == []
    assert names(loss=1.7, constant=2.3) == []


def test_a_history_without_a_loss_says_nothing():
    made = History()
    made.rows = [{"epoch": 1, "accuracy": 0.5}] * 9
    assert symptoms(made) == ()


def test_the_learning_rate_is_said_where_it_is_known():
    made = history(2.0, 1.0, 0.5, 0.6, 0.8, 1.2, 1.8)
    for row, rate in zip(made.rows, (1, 1, 0.1, 0.1, 0.2, 0.3, 0.3), strict=True):
        row["learning_rate"] = rate
    (symptom,) = symptoms(made)
    assert symptom.says == (
        "the training loss does not settle: it still rises by 33.2% of itself from "
        "epoch to epoch, at a learning rate of 0.25"
    )


def test_it_is_said_in_figures():
    (symptom,) = symptoms(history(), 2.31, 2.3)
    assert symptom.says == (
        "the training loss 2.31 is no better than the 2.3 of a constant prediction"
    )
