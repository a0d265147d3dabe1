"""Cross-entropies with class weights, sample weights and smoothed labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError, ShapeError

BCE = F.binary_cross_entropy_with_logits
CLASS_WEIGHT = np.array([0.5, 2.0, 1.0])
SAMPLE_WEIGHT = np.array([1.0, 0.0, 3.0, 0.5, 2.0])


def log_softmax(z):
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def expected_losses(z, y, smoothing=0.0, c=1.0, s=1.0):
    """Return the losses of the docstring's equation, and the weights of the mean."""
    k = z.shape[1]
    rows = c * ((1 - smoothing) * y + smoothing / k)
    return -s * (rows * log_softmax(z)).sum(-1), s * (c * y).sum(-1)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["integers", "one-hot", "probabilities"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", ["classes", "samples", "both", "neither"])
def test_cross_entropy(
    kind, smoothing, weighted, reduction, rng, each_backend, check_gradients
):
    z, labels = rng.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0])
    rows = np.eye(3)[labels]
    if kind == "probabilities":
        rows = rng.dirichlet(np.ones(3), 5)
    options = {"label_smoothing": smoothing}
    c = s = np.float64(1)
    if weighted in ("classes", "both"):
        options["class_weight"] = c = CLASS_WEIGHT
    if weighted in ("samples", "both"):
        options["sample_weight"] = s = SAMPLE_WEIGHT
    losses, mass = expected_losses(z, rows, smoothing, c, s)
    mean = losses.sum() / np.broadcast_to(mass, 5).sum()
    expected = {"mean": mean, "sum": losses.sum(), "none": losses}[reduction]
    given = labels if kind == "integers" else rows
    got = F.cross_entropy(z, given, reduction, **options)
    np.testing.assert_allclose(got.data, expected, rtol=1e-12, atol=1e-15)
    check_gradients(lambda z: F.cross_entropy(z, given, reduction, **options), z)


def test_weights_are_repetitions():
    """An example of weight 2 counts as if it stood there twice."""
    z, labels = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0, 1])
    twice = F.cross_entropy(z[[0, 1, 1]], labels[[0, 1, 1]]).item()
    by_sample = F.cross_entropy(z, labels, sample_weight=[1, 2]).item()
    by_class = F.cross_entropy(z, labels, class_weight=[1, 2]).item()
    assert math.isclose(by_sample, twice, rel_tol=1e-12)
    assert math.isclose(by_class, twice, rel_tol=1e-12)


def test_known_value_of_smoothing():
    """Uniform logits cost log K however much is smoothed; p = y does not cost 0."""
    assert math.isclose(
        F.cross_entropy(np.zeros((1, 4)), [2], label_smoothing=0.3).item(), math.log(4)
    )
    sure = np.array([[0.0, 20.0]])
    assert math.isclose(
        F.cross_entropy(sure, [1], label_smoothing=0.1).item(), 0.05 * 20, rel_tol=1e-7
    )


def test_all_weights_zero_cost_nothing():
    logits = Tensor(np.ones((2, 3)), requires_grad=True)
    loss = F.cross_entropy(logits, [0, 1], sample_weight=[0, 0])
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"class_weight": [1, 2]},
            ShapeError,
            "for each of the 3 classes",
        ),
        ({"class_weight": [1, -2, 1]}, ArgumentError, "each class_weight must be"),
        ({"class_weight": [1, np.nan, 1]}, ArgumentError, "each class_weight must be"),
        (
            {"sample_weight": [1]},
            ShapeError,
            "for each of the 2 examples",
        ),
        ({"sample_weight": [1, -1]}, ArgumentError, "each sample_weight must be"),
        ({"sample_weight": [1, np.inf]}, ArgumentError, "each sample_weight must be"),
        ({"label_smoothing": -0.1}, ArgumentError, r"label_smoothing .* got -0\.1"),
        ({"label_smoothing": 1.1}, ArgumentError, r"label_smoothing .* got 1\.1"),
        ({"label_smoothing": np.nan}, ArgumentError, r"label_smoothing .* got nan"),
    ],
    ids=str,
)
def test_options_that_do_not_fit(options, error, message):
    with pytest.raises(error, match=f"cross_entropy: .*{message}"):
        F.cross_entropy(np.ones((2, 3)), [0, 1], **options)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.nan])
def test_probabilities_out_of_range(wrong):
    rows = np.array([[0.2, 0.8], [1.0, wrong]])
    with pytest.raises(ArgumentError, match=rf"in \[0, 1\], got {wrong}; the targets"):
        F.cross_entropy(np.ones((2, 2)), rows)


def test_probabilities_may_be_rounded():
    rows = np.array([[1.0000001, 0.0]], np.float32)
    assert F.cross_entropy(np.zeros((1, 2), np.float32), rows).item() > 0


# Binary


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("positive", [None, 3.0, np.array([0.5, 2.0])], ids=str)
@pytest.mark.parametrize("samples", [None, "examples", "elements"])
def test_binary_cross_entropy(
    samples, positive, smoothing, reduction, rng, each_backend, check_gradients
):
    z, t = rng.standard_normal((3, 2)), np.array([[1.0, 0], [0.3, np.nan], [0, 1]])
    s = {
        None: np.ones((3, 2)),
        "examples": np.array([[2.0], [1.0], [0.0]]) * np.ones((3, 2)),
        "elements": rng.random((3, 2)),
    }[samples]
    given = {None: None, "examples": s[:, 0], "elements": s}[samples]
    p = 1.0 if positive is None else positive
    smooth = (1 - smoothing) * t + smoothing / 2
    yes = 1 / (1 + np.exp(-z))
    losses = s * (-p * smooth * np.log(yes) - (1 - smooth) * np.log(1 - yes))
    losses = np.where(np.isnan(t), 0, losses)
    mean = losses.sum() / s[~np.isnan(t)].sum()
    expected = {"mean": mean, "sum": losses.sum(), "none": losses}[reduction]
    options = {
        "pos_weight": positive,
        "sample_weight": given,
        "label_smoothing": smoothing,
    }
    got = BCE(z, t, reduction, **options)
    np.testing.assert_allclose(got.data, expected, rtol=1e-12, atol=1e-15)
    check_gradients(lambda z: BCE(z, t, reduction, **options), z)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pos_weight": 0}, "each pos_weight must be > 0"),
        ({"pos_weight": [1, 2]}, "one pos_weight, or one for each of the tasks"),
        ({"sample_weight": [1, 2]}, "sample_weight for each of the 4 examples"),
        ({"sample_weight": np.ones((4, 1))}, "sample_weight for each"),
        ({"label_smoothing": 2}, "label_smoothing"),
    ],
    ids=str,
)
def test_binary_options_that_do_not_fit(options, message):
    with pytest.raises(FastdlError, match=f"binary_cross_entropy.*: .*{message}"):
        BCE(np.ones((4, 3)), np.ones((4, 3)), **options)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_binary_targets_out_of_range(wrong):
    with pytest.raises(ArgumentError, match=rf"binary.*in \[0, 1\], got {wrong}"):
        BCE(np.ones(3), [0, np.nan, wrong])
