"""The Dice loss of masks."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

RNG = np.random.default_rng(3)
LOGITS = RNG.standard_normal((3, 4, 5, 3))
CLASSES = RNG.integers(0, 3, (3, 4, 5))
MASKS = (RNG.random((3, 4, 5, 1)) < 0.4).astype(float)
HOLES = np.where(RNG.random((3, 4, 5, 3)) < 0.3, np.nan, RNG.random((3, 4, 5, 3)))
HOLES[1] = np.nan
WEIGHT = [1.0, 0.5, 2.0]
CASES = {
    "classes": (LOGITS, CLASSES),
    "one question": (LOGITS[..., :1], MASKS),
    "questions, some missing": (LOGITS, HOLES),
    "rows": (LOGITS[:, 0], CLASSES[:, 0]),
}


def definition(logits, targets, smooth):
    """Return the loss of each example, and whether there is anything of it."""
    losses, present = [], []
    for x, t in zip(logits, targets, strict=True):
        if t.shape == x.shape:
            p = 1 / (1 + np.exp(-x))
        else:
            p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
            t = np.eye(x.shape[-1])[t]
        dice = []
        for k in range(x.shape[-1]):
            there = ~np.isnan(t[..., k])
            a, b = p[..., k][there], t[..., k][there]
            dice.append((2 * (a * b).sum() + smooth) / (a.sum() + b.sum() + smooth))
        losses.append(1 - np.mean(dice))
        present.append(not np.isnan(t).all())
    return np.array(losses), np.array(present, float)


@pytest.mark.parametrize("smooth", [1.0, 0.01])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CASES)
def test_dice_loss(case, reduction, weight, smooth, check_gradients):
    logits, targets = CASES[case]
    each, count = definition(logits, targets, smooth)
    if weight is not None:
        count = count * weight
    each = each * count
    expected = {"mean": each.sum() / count.sum(), "sum": each.sum(), "none": each}

    def loss(x):
        return F.dice_loss(x, targets, reduction, smooth=smooth, sample_weight=weight)

    np.testing.assert_allclose(loss(logits).data, expected[reduction], rtol=1e-12)
    check_gradients(loss, logits)


@pytest.mark.parametrize("size", [50.0, 1e4])
def test_extreme_logits(size):
    """The right masks cost nothing, the opposite ones nearly 1; no gradient is NaN."""
    mask = np.zeros((1, 8, 8, 1), np.float32)
    mask[:, :4] = 1
    for sign, expected in ((1, 0.0), (-1, 1 - 1 / 65)):
        x = Tensor(sign * size * (2 * mask - 1), requires_grad=True)
        loss = F.dice_loss(x, mask)
        loss.backward()
        assert loss.item() == pytest.approx(expected, abs=1e-6)
        assert np.abs(x.grad).max() < 1e-6


def test_nothing_that_is_not_found_costs_nothing():
    x = Tensor(np.full((2, 3, 3, 1), -100.0), requires_grad=True)
    loss = F.dice_loss(x, np.zeros((2, 3, 3, 1)))
    loss.backward()
    assert loss.item() == pytest.approx(0)
    assert np.isfinite(x.grad).all()


def test_all_pixels_missing():
    x = Tensor(LOGITS, requires_grad=True)
    loss = F.dice_loss(x, np.full(LOGITS.shape, np.nan))
    loss.backward()
    assert loss.item() == 0.0
    assert (x.grad == 0).all()


@pytest.mark.parametrize("targets", [np.zeros((0, 4, 5), int), np.zeros((0, 4, 5, 3))])
def test_no_examples(targets):
    x = Tensor(LOGITS[:0], requires_grad=True)
    loss = F.dice_loss(x, targets)
    loss.backward()
    assert loss.item() == 0.0
    assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    ("error", "call", "match"),
    [
        (ShapeError, lambda: F.dice_loss(LOGITS, CLASSES[:2]), r"got \(3, 4, 5, 3\)"),
        (ShapeError, lambda: F.dice_loss(LOGITS[..., :1], CLASSES), "np.newaxis"),
        (
            ShapeError,
            lambda: F.dice_loss(LOGITS[0, 0, 0], [0, 1, 1]),
            "logits",
        ),
        (ArgumentError, lambda: F.dice_loss(LOGITS, CLASSES + 1), "from 0 to 2"),
        (DtypeError, lambda: F.dice_loss(LOGITS, CLASSES / 2), "integer labels"),
        (ArgumentError, lambda: F.dice_loss(LOGITS, LOGITS), "probabilities in"),
        (DtypeError, lambda: F.dice_loss(LOGITS, LOGITS.astype(str)), "targets in"),
        (ArgumentError, lambda: F.dice_loss(LOGITS, CLASSES, smooth=0), "smooth must"),
        (ArgumentError, lambda: F.dice_loss(LOGITS, CLASSES, "maen"), "'mean'"),
        (
            ShapeError,
            lambda: F.dice_loss(LOGITS, CLASSES, sample_weight=np.ones((3, 4))),
            "one sample_weight",
        ),
    ],
)
def test_dice_loss_refuses(error, call, match):
    with pytest.raises(error, match=f"dice_loss: .*{match}"):
        call()
