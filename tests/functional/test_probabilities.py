"""Losses from probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError

BCE = F.binary_cross_entropy


# Negative log-likelihood


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_weight": np.array([1.0, 2.0, 0.0])},
        {"sample_weight": np.array([1.0, 2.0, 3.0, 0.5])},
        {"ignore_index": 1},
        {"ignore_index": -100, "class_weight": [3.0, 1.0, 2.0]},
    ],
    ids=lambda options: "+".join(options) or "plain",
)
def test_after_log_softmax_it_is_the_cross_entropy(
    options, pixels, reduction, rng, check_gradients
):
    z, labels = rng.standard_normal((4, 3)), np.array([0, 1, 2, 1])
    if options.get("ignore_index") == -100:
        labels[1] = -100
    if pixels:
        z, labels = z.reshape(4, 1, 1, 3), labels.reshape(4, 1, 1)

    def loss(z):
        return F.nll_loss(F.log_softmax(z), labels, reduction, **options)

    expected = F.cross_entropy(z, labels, reduction, **options)
    np.testing.assert_allclose(loss(z).data, expected.data, rtol=1e-12)
    check_gradients(loss, z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_impossible_label(dtype):
    """It costs infinitely much, unless it does not count."""
    with np.errstate(divide="ignore"):
        log_p = np.log(np.array([[1, 0], [0.5, 0.5]], dtype))
    assert F.nll_loss(log_p, [1, 0]).item() == math.inf
    left = F.nll_loss(log_p, [1, 0], ignore_index=1)
    assert left.dtype == dtype
    assert left.item() == pytest.approx(math.log(2))
    assert F.nll_loss(log_p, [1, 0], sample_weight=[0, 1]).item() == left.item()


def test_any_number_of_axes(rng):
    log_p = F.log_softmax(rng.standard_normal((2, 3, 4)))
    labels = rng.integers(0, 4, (2, 3))
    expected = -np.take_along_axis(log_p.data, labels[..., None], -1)[..., 0]
    np.testing.assert_array_equal(F.nll_loss(log_p, labels, "none").data, expected)


def test_the_likelihood_of_nothing():
    log_p = Tensor(np.zeros((0, 3)), requires_grad=True)
    loss = F.nll_loss(log_p, np.zeros(0, int))
    loss.backward()
    assert loss.item() == 0
    assert log_p.grad.shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        (np.eye(3)[:2], {}, ShapeError, "argmax"),
        ([0.0, 1.0], {}, DtypeError, "integer labels"),
        ([0, 3], {}, ArgumentError, "from 0 to 2"),
        ([0, -100], {}, ArgumentError, "ignore_index=-100. leaves"),
        ([0], {}, ShapeError, "labels"),
        ([0, 1], {"class_weight": [1]}, ShapeError, "class_weight"),
        ([0, 1], {"class_weight": [1, -1, 1]}, ArgumentError, "class_weight"),
        ([0, 1], {"sample_weight": [1]}, ShapeError, "sample_weight"),
        ([0, 1], {"reduction": "avg"}, ArgumentError, "reduction"),
        (Tensor([0.0, 1], requires_grad=True), {}, GraphError, "detach"),
    ],
)
def test_labels_that_do_not_fit(labels, options, error, message):
    with pytest.raises(error, match=f"nll_loss: .*{message}"):
        F.nll_loss(np.zeros((2, 3)), labels, **options)


def test_one_row_of_probabilities_is_no_batch():
    with pytest.raises(ShapeError, match=r"nll_loss: .*\(m, classes\), got \(3,\)"):
        F.nll_loss(np.zeros(3), [0])


# Binary cross-entropy


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, np.array([2.0, 0.0]), "each"])
def test_binary_cross_entropy(weight, reduction, rng, check_gradients):
    p = rng.uniform(0.05, 0.95, (2, 3))
    t = np.array([[0, 1, 0.3], [1, np.nan, 0]])
    weight = rng.random((2, 3)) if isinstance(weight, str) else weight
    s = np.ones((2, 3)) if weight is None else weight
    s = s[:, None] * np.ones((2, 3)) if s.ndim == 1 else s
    losses = np.where(np.isnan(t), 0, -s * (t * np.log(p) + (1 - t) * np.log(1 - p)))
    mean = losses.sum() / s[~np.isnan(t)].sum()
    expected = {"mean": mean, "sum": losses.sum(), "none": losses}[reduction]
    loss = BCE(p, t, reduction, sample_weight=weight)
    np.testing.assert_allclose(loss.data, expected, rtol=1e-12)
    check_gradients(lambda p: BCE(p, t, reduction, sample_weight=weight), p)


def test_it_is_that_of_the_logits(rng, check_gradients):
    z, t = rng.standard_normal((4, 3)), rng.random((4, 3))
    expected = F.binary_cross_entropy_with_logits(z, t)
    np.testing.assert_allclose(BCE(F.sigmoid(z), t).item(), expected.item())
    check_gradients(lambda z: BCE(F.sigmoid(z), t), z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_certain_answers(dtype):
    """Values and gradients are those of PyTorch 2.13 (float32)."""
    p = Tensor(np.array([0, 0, 1, 1, 1e-30, 0.5], dtype), requires_grad=True)
    losses = BCE(p, [0, 1, 0, 1, 1, 1], "none")
    losses.sum().backward()
    assert losses.dtype == p.grad.dtype == dtype
    expected = [0, 100, 100, 0, 69.0775528, 0.693147182]
    np.testing.assert_allclose(losses.data, expected, rtol=1e-6)
    np.testing.assert_allclose(p.grad, [0, -1e12, 1e12, 0, -1e12, -2], rtol=1e-6)


def test_small_probabilities_keep_their_digits():
    """log(1 - p) = -p - p^2 / 2 ..., which 1 - p would round to 0."""
    assert BCE(np.array([1e-18]), [0]).item() == pytest.approx(1e-18, rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_nothing_but_missing_targets(reduction):
    p = Tensor(np.array([0.0, 0.5, 1.0]), requires_grad=True)
    loss = BCE(p, np.full(3, np.nan), reduction)
    loss.sum().backward()
    assert not loss.data.any()
    assert not p.grad.any()


def test_nan_is_not_hidden():
    p = Tensor(np.array([np.nan, 0.5]), requires_grad=True)
    loss = BCE(p, [1, 1])
    loss.backward()
    assert math.isnan(loss.item())
    assert np.isnan(p.grad).tolist() == [True, False]


def test_a_probability_may_be_rounded():
    assert BCE(np.array([1.0000001], np.float32), [1]).item() == 0


@pytest.mark.parametrize(
    ("p", "t", "options", "error", "message"),
    [
        ([0.5, 1.5], [0, 1], {}, ArgumentError, "got 1.5; .*with_logits takes logits"),
        ([-2.0, 0.5], [0, 1], {}, ArgumentError, "got -2.0; .*with_logits takes"),
        ([0.5, 0.5], [0, 2], {}, ArgumentError, "got 2.0; the targets"),
        ([0.5, 0.5], [[0], [1]], {}, ShapeError, r"reshape\(-1,\)"),
        ([0.5, 0.5], ["0", "1"], {}, DtypeError, "targets"),
        ([0.5], [1], {"sample_weight": [-1]}, ArgumentError, "sample_weight"),
        ([0.5], [1], {"reduction": "avg"}, ArgumentError, "reduction"),
        ([0.5], Tensor([1], requires_grad=True), {}, GraphError, "detach"),
    ],
)
def test_what_does_not_fit(p, t, options, error, message):
    with pytest.raises(error, match=f"^binary_cross_entropy: .*{message}"):
        BCE(np.array(p), t, **options)


@pytest.mark.parametrize("given", ["logits", "probabilities"])
def test_no_logarithms(given):
    z = np.array([[2.0, -1.0], [0.5, 3.0]])
    x = z if given == "logits" else F.softmax(z)
    with pytest.raises(ArgumentError, match=r"^nll_loss: .*<= 0.*log_softmax"):
        F.nll_loss(x, [0, 1])
