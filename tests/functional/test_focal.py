"""Focal losses, of classes and of yes-or-no questions."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError

REDUCTIONS = ["mean", "sum", "none"]
LABELS = np.array([0, 2, 1, 2])
ALPHA = [0.2, 1.0, 3.0]


def softmax(x):
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)


def reduced(each, weight, reduction):
    each = each * weight
    return {
        "mean": each.sum() / weight.sum(),
        "sum": each.sum(),
        "none": each,
    }[reduction]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, [1.0, 0.0, 2.0, 0.5]], ids=["", "weights"])
@pytest.mark.parametrize("alpha", [None, ALPHA], ids=["", "alpha"])
@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_focal_loss(gamma, alpha, weight, reduction, rng, check_gradients):
    """-alpha (1 - p)^gamma log p of the right class."""
    x = rng.standard_normal((4, 3))
    p = softmax(x)[np.arange(4), LABELS]
    each = -((1 - p) ** gamma) * np.log(p)
    if alpha is not None:
        each = each * np.array(alpha)[LABELS]
    options = {"gamma": gamma, "alpha": alpha, "sample_weight": weight}
    expected = reduced(
        each, np.ones(4) if weight is None else np.array(weight), reduction
    )
    loss = F.focal_loss(x, LABELS, reduction, **options)
    np.testing.assert_allclose(loss.data, expected, rtol=1e-12)
    check_gradients(lambda x: F.focal_loss(x, LABELS, reduction, **options), x)


def test_focal_loss_without_focus_is_the_cross_entropy(rng):
    x = Tensor(rng.standard_normal((4, 3)).astype(np.float32))
    focal, entropy = F.focal_loss(x, LABELS, gamma=0), F.cross_entropy(x, LABELS)
    np.testing.assert_allclose(focal.data, entropy.data, rtol=1e-6)


TARGETS = np.array([[0, 1, np.nan], [1, 1, 0], [0, np.nan, np.nan], [1, 0, 0]])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, [1.0, 0.0, 2.0, 0.5]], ids=["", "weights"])
@pytest.mark.parametrize("alpha", [None, 0.25, 1.0])
@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_sigmoid_focal_loss(gamma, alpha, weight, reduction, rng, check_gradients):
    x = rng.standard_normal((4, 3))
    s = 1 / (1 + np.exp(-x))
    p = np.where(TARGETS == 1, s, 1 - s)
    each = -((1 - p) ** gamma) * np.log(p)
    if alpha is not None:
        each = each * np.where(TARGETS == 1, alpha, 1 - alpha)
    counts = np.ones((4, 3)) if weight is None else np.repeat([weight], 3, 0).T
    expected = reduced(each, counts * ~np.isnan(TARGETS), reduction)
    options = {"gamma": gamma, "alpha": alpha, "sample_weight": weight}
    loss = F.sigmoid_focal_loss(x, TARGETS, reduction, **options)
    np.testing.assert_allclose(loss.data, expected, rtol=1e-12)
    check_gradients(lambda x: F.sigmoid_focal_loss(x, TARGETS, reduction, **options), x)


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
@pytest.mark.parametrize("size", [50.0, 1e4])
def test_extreme_logits(size, gamma):
    """Surely right costs nothing, surely wrong its logit; all gradients are finite."""
    x = Tensor(np.array([[size, -size], [-size, size]], np.float32), requires_grad=True)
    classes = F.focal_loss(x, [0, 0], "none", gamma=gamma)
    classes.sum().backward()
    assert classes.data.tolist() == [0.0, 2 * size]
    np.testing.assert_allclose(x.grad, [[0, 0], [-1, 1]], atol=1e-10)
    x.grad = None
    answers = F.sigmoid_focal_loss(x, [[1, 1], [0, 0]], "none", gamma=gamma, alpha=None)
    answers.sum().backward()
    np.testing.assert_allclose(answers.data, [[0, size], [0, size]], atol=1e-10)
    np.testing.assert_allclose(x.grad, [[0, -1], [0, 1]], atol=1e-10)


def test_all_targets_missing():
    x = Tensor(np.array([[1.0, np.inf]]), requires_grad=True)
    loss = F.sigmoid_focal_loss(x, [[np.nan, np.nan]])
    loss.backward()
    assert loss.item() == 0.0
    assert x.grad.tolist() == [[0.0, 0.0]]


X = np.ones((4, 3))


@pytest.mark.parametrize(
    ("error", "call", "match"),
    [
        (
            ShapeError,
            lambda: F.focal_loss(X[0], [0, 1, 2]),
            r"got \(3,\)",
        ),
        (ShapeError, lambda: F.focal_loss(X, [0, 1]), "expected labels of shape"),
        (ShapeError, lambda: F.focal_loss(X, np.eye(3)[LABELS]), "argmax"),
        (DtypeError, lambda: F.focal_loss(X, [0.0, 1, 2, 0]), "integer labels"),
        (ArgumentError, lambda: F.focal_loss(X, [0, 1, 2, 3]), "from 0 to 2, got 3"),
        (ArgumentError, lambda: F.focal_loss(X, LABELS, gamma=-1), "gamma must be"),
        (ArgumentError, lambda: F.focal_loss(X, LABELS, gamma="2"), "gamma must be"),
        (ShapeError, lambda: F.focal_loss(X, LABELS, alpha=[1, 1]), "alpha of shape"),
        (
            ArgumentError,
            lambda: F.focal_loss(X, LABELS, alpha=[1, 1, -1]),
            "alpha",
        ),
        (ArgumentError, lambda: F.focal_loss(X, LABELS, "maen"), "'mean'"),
    ],
)
def test_focal_loss_refuses(error, call, match):
    with pytest.raises(error, match=f"focal_loss: .*{match}"):
        call()


@pytest.mark.parametrize(
    ("error", "call", "match"),
    [
        (ShapeError, lambda: F.sigmoid_focal_loss(X, X[:, :1]), "expected targets of"),
        (ArgumentError, lambda: F.sigmoid_focal_loss(X, X / 2), "0, 1 or NaN"),
        (DtypeError, lambda: F.sigmoid_focal_loss(X, X.astype(str)), "targets 0 or 1"),
        (ArgumentError, lambda: F.sigmoid_focal_loss(X, X, gamma=np.inf), "gamma must"),
        (ArgumentError, lambda: F.sigmoid_focal_loss(X, X, alpha=2), "alpha is the"),
        (GraphError, lambda: F.sigmoid_focal_loss(X, Tensor(X, True)), "detach"),
    ],
)
def test_sigmoid_focal_loss_refuses(error, call, match):
    with pytest.raises(error, match=f"sigmoid_focal_loss: .*{match}"):
        call()
