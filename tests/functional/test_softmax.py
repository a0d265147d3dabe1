"""Softmax and the cross-entropies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError

BCE = F.binary_cross_entropy_with_logits


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def test_softmax_of_the_course():
    """S06."""
    p = F.softmax(np.array([5.0, 2.0, -1.0, 3.0]))
    assert np.round(p.data, 3).tolist() == [0.842, 0.042, 0.002, 0.114]


@pytest.mark.parametrize("size", [1e4, 1e300])
def test_softmax_of_huge_logits(size):
    """S06: rows sum to 1 for logits of any finite size."""
    p = F.softmax(np.array([[size, -size, 0.0], [size, size, size]]))
    np.testing.assert_allclose(p.data.sum(-1), 1)


def test_hardmax():
    """S06."""
    x = Tensor(np.array([[5.0, 2.0, -1.0, 3.0], [1.0, 1.0, 0.0, 1.0]]), True)
    y = F.hardmax(x)
    assert y.data.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]
    assert not y.requires_grad


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(3, 4), (4,), (2, 3, 4), (0, 4), (3, 1)], ids=str)
def test_gradients(name, shape, rng, check_gradients):
    check_gradients(getattr(F, name), rng.standard_normal(shape))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_along_another_axis(name, axis, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4))
    function = getattr(F, name)
    expected = np.moveaxis(function(np.moveaxis(x, axis, -1)).data, -1, axis)
    np.testing.assert_array_equal(function(x, axis).data, expected)
    check_gradients(lambda x: function(x, axis), x)


def test_hardmax_along_another_axis():
    x = np.array([[1.0, 4.0], [2.0, 3.0]])
    assert F.hardmax(x, 0).data.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hardmax"])
def test_an_axis_that_does_not_exist(name):
    with pytest.raises(ShapeError, match=name):
        getattr(F, name)(np.ones((2, 3)), axis=2)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hardmax"])
@pytest.mark.parametrize("shape", [(), (3, 0)], ids=str)
def test_softmax_needs_classes(name, shape):
    with pytest.raises(ShapeError, match=name):
        getattr(F, name)(np.ones(shape))


# Cross-entropy


@pytest.mark.parametrize("labels", [np.array([1]), np.array([[0.0, 1, 0, 0]])])
def test_cross_entropy_of_the_course(labels):
    """S07: yhat = [0.3, 0.2, 0.1, 0.4], y = class 1."""
    yhat = np.array([[0.3, 0.2, 0.1, 0.4]])
    logits = Tensor(np.log(yhat), requires_grad=True)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    assert math.isclose(loss.item(), -math.log(0.2), rel_tol=1e-14)
    np.testing.assert_allclose(logits.grad, [[0.3, -0.8, 0.1, 0.4]])


def test_gradient_of_cross_entropy_is_yhat_minus_y_over_m(rng):
    """S07."""
    z, labels = rng.standard_normal((5, 3)), rng.integers(0, 3, 5)
    logits = Tensor(z, requires_grad=True)
    F.cross_entropy(logits, labels).backward()
    expected = (F.softmax(z).data - one_hot(labels, 3)) / 5
    np.testing.assert_allclose(logits.grad, expected, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["integers", "one-hot", "probabilities"])
def test_cross_entropy(kind, reduction, rng, check_gradients):
    z, classes = rng.standard_normal((5, 3)), rng.integers(0, 3, 5)
    labels = {
        "integers": classes,
        "one-hot": one_hot(classes, 3),
        "probabilities": rng.dirichlet(np.ones(3), 5),
    }[kind]
    rows = labels if labels.ndim == 2 else one_hot(labels, 3)
    losses = -(rows * np.log(F.softmax(z).data)).sum(-1)
    expected = {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
    loss = F.cross_entropy(z, labels, reduction)
    np.testing.assert_allclose(loss.data, expected)
    check_gradients(lambda z: F.cross_entropy(z, labels, reduction), z)


def test_labels_of_many_kinds():
    z = np.log(np.array([[0.3, 0.2, 0.5]], np.float32))
    expected = F.cross_entropy(z, np.array([1])).item()
    rows = [[0, 1, 0]]
    for labels in (
        [1],
        np.array([1], np.uint8),
        rows,
        np.array(rows, bool),
        np.array(rows, np.float64),
        Tensor(rows),
    ):
        assert math.isclose(F.cross_entropy(z, labels).item(), expected, rel_tol=1e-6)


def test_two_classes_are_logistic_regression(rng):
    """S06: C = 2."""
    z, labels = rng.standard_normal(6), rng.integers(0, 2, 6)
    two = F.cross_entropy(np.stack([np.zeros(6), z], -1), labels)
    np.testing.assert_allclose(two.item(), BCE(z, labels).item())


def test_cross_entropy_of_nothing_is_zero():
    logits = Tensor(np.ones((0, 3)), requires_grad=True)
    loss = F.cross_entropy(logits, np.zeros(0, int))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad.shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ([0, 3], ArgumentError),
        ([-1, 0], ArgumentError),
        ([0.0, 1.0], DtypeError),
        ([0, 1, 2], ShapeError),
        ([[0], [1]], ShapeError),
        ([[1, 0], [0, 1]], ShapeError),
    ],
    ids=["too large", "negative", "floats", "too many", "(n, 1)", "classes"],
)
def test_wrong_labels(labels, error):
    with pytest.raises(error, match="cross_entropy"):
        F.cross_entropy(np.ones((2, 3)), np.array(labels))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (2, 1, 1, 3, 4)], ids=str)
def test_cross_entropy_takes_rows_of_logits(shape):
    with pytest.raises(ShapeError, match=r"cross_entropy.*logits"):
        F.cross_entropy(np.ones(shape), np.zeros(shape[0], int))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["integers", "rows"])
@pytest.mark.parametrize("weighted", [False, True])
def test_pixels_are_examples(
    weighted, kind, reduction, rng, each_backend, check_gradients
):
    z, labels = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 5, (2, 3, 4))
    options = {}
    if weighted:
        options = {"class_weight": np.arange(5.0), "label_smoothing": 0.1}
    if kind == "rows":
        labels = rng.dirichlet(np.ones(5), (2, 3, 4))
    of_rows = labels.reshape(24, *labels.shape[3:])
    expected = F.cross_entropy(z.reshape(24, 5), of_rows, reduction, **options)
    loss = F.cross_entropy(z, labels, reduction, **options)
    assert loss.shape == ((2, 3, 4) if reduction == "none" else ())
    assert loss.data.ravel().tolist() == expected.data.ravel().tolist()
    check_gradients(lambda z: F.cross_entropy(z, labels, reduction, **options), z)


@pytest.mark.parametrize("whole", [True, False])
def test_weights_of_pixels(whole, rng, check_gradients):
    z, labels = rng.standard_normal((2, 2, 3, 4)), rng.integers(0, 4, (2, 2, 3))
    weight = rng.random(2) if whole else rng.random((2, 2, 3))
    each = np.broadcast_to(weight.reshape(2, 1, 1) if whole else weight, (2, 2, 3))
    losses = F.cross_entropy(z, labels, "none").data
    loss = F.cross_entropy(z, labels, sample_weight=weight)
    np.testing.assert_allclose(loss.item(), (losses * each).sum() / each.sum())
    check_gradients(lambda z: F.cross_entropy(z, labels, sample_weight=weight), z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_weight": [1.0, 2.0, 0.5]},
        {"label_smoothing": 0.2},
        {"sample_weight": np.array([1.0, 2.0, 3.0, 0.5])},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
@pytest.mark.parametrize("mark", [-100, 255, 1])
def test_ignored_labels_count_for_nothing(
    mark, options, reduction, pixels, dtype, rng, each_backend
):
    z, labels = rng.standard_normal((4, 3)).astype(dtype), np.array([2, 0, 2, 0])
    labels[[1, 2]] = mark
    kept = [0, 3]
    few = options | (
        {"sample_weight": options["sample_weight"][kept]}
        if "sample_weight" in options
        else {}
    )
    shape = (4, 1, 1) if pixels else (4,)
    logits = Tensor(z.reshape(*shape, 3), requires_grad=True)
    loss = F.cross_entropy(
        logits, labels.reshape(shape), reduction, ignore_index=mark, **options
    )
    loss.sum().backward()
    alone = Tensor(z[kept], requires_grad=True)
    expected = F.cross_entropy(alone, labels[kept], reduction, **few)
    expected.sum().backward()
    losses, grad = loss.data, logits.grad.reshape(4, 3)
    if reduction == "none":
        losses = losses.reshape(4)
        assert losses[[1, 2]].tolist() == [0, 0]
        losses = losses[kept]
    np.testing.assert_allclose(losses, expected.data, rtol=1e-6)
    np.testing.assert_allclose(grad[kept], alone.grad, rtol=1e-6)
    assert not grad[[1, 2]].any()


def test_all_labels_ignored():
    logits = Tensor(np.ones((2, 3)), requires_grad=True)
    loss = F.cross_entropy(logits, [-1, -1], ignore_index=-1)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_a_mark_that_no_label_has_changes_nothing(rng):
    z, labels = rng.standard_normal((4, 3)).astype(np.float32), [0, 1, 2, 0]
    expected = F.cross_entropy(z, labels).item()
    assert F.cross_entropy(z, labels, ignore_index=-100).item() == expected


@pytest.mark.parametrize(
    ("labels", "mark", "error", "message"),
    [
        (np.eye(3)[:2], -100, DtypeError, "sample_weight of 0"),
        (np.eye(3, dtype=int)[:2], -100, DtypeError, r"got int64 of shape \(2, 3\)"),
        ([0.0, 1.0], -100, DtypeError, "marks integer labels, got float64"),
        ([0, -1], -100, ArgumentError, "got -1; .*ignore_index=-1"),
        ([0, 1], "0", ArgumentError, "integer label .* got '0'"),
        ([0, 1], True, ArgumentError, "integer label .* got True"),
    ],
)
def test_wrong_marks(labels, mark, error, message):
    with pytest.raises(error, match=f"cross_entropy: .*{message}"):
        F.cross_entropy(np.ones((2, 3)), labels, ignore_index=mark)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 4, 3), r"expected labels of shape \(2, 3, 4\).*got \(2, 4, 3\)$"),
        ((2,), r"or \(2, 3, 4, 5\) \(one-hot\), got \(2,\)$"),
        ((2, 4, 5), "the classes are the last axis"),
    ],
)
def test_labels_of_other_pixels(shape, message):
    with pytest.raises(ShapeError, match=f"cross_entropy: .*{message}"):
        F.cross_entropy(np.ones((2, 3, 4, 5)), np.zeros(shape, int))


@pytest.mark.parametrize("loss", [F.cross_entropy, BCE])
def test_labels_get_no_gradient(loss):
    labels = Tensor(np.eye(2), requires_grad=True)
    with pytest.raises(GraphError, match="detach"):
        loss(np.eye(2), labels)
    assert loss(np.eye(2), labels.detach()).item() > 0


# Binary cross-entropy


def test_logistic_regression():
    """S01: yhat = sigmoid(x w + b), gradient x^T (yhat - y) / m."""
    x, y = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), np.array([[1], [0], [1]])
    w, b = Tensor(np.array([[0.1], [-0.2]]), True), Tensor(np.array([0.05]), True)
    BCE(F.linear(x, w, b), y).backward()
    dz = (1 / (1 + np.exp(-(x @ w.data + b.data))) - y) / 3
    np.testing.assert_allclose(w.grad, x.T @ dz)
    np.testing.assert_allclose(b.grad, dz.sum(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_do_not_overflow(dtype):
    """S01: |z| = 1e4."""
    logits = Tensor(np.array([1e4, -1e4, 1e4, -1e4], dtype), requires_grad=True)
    losses = BCE(logits, [1, 0, 0, 1], "none")
    losses.sum().backward()
    assert losses.data.tolist() == [0, 0, 1e4, 1e4]
    assert logits.grad.tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_binary_cross_entropy(reduction, rng, check_gradients):
    z, t = rng.standard_normal((4, 3)), rng.random((4, 3))
    s = 1 / (1 + np.exp(-z))
    losses = -t * np.log(s) - (1 - t) * np.log(1 - s)
    expected = {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
    np.testing.assert_allclose(BCE(z, t, reduction).data, expected)
    check_gradients(lambda z: BCE(z, t, reduction), z)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_missing_targets_count_for_nothing(reduction, rng, check_gradients):
    """S33."""
    z = rng.standard_normal((2, 3))
    t = np.array([[1, np.nan, 0], [np.nan, 1, np.nan]])
    present = ~np.isnan(t)
    whole = BCE(z, t, reduction)
    part = BCE(z[present], t[present], reduction)
    if reduction == "none":
        assert (whole.data[~present] == 0).all()
        np.testing.assert_allclose(whole.data[present], part.data)
    else:
        np.testing.assert_allclose(whole.item(), part.item())
    check_gradients(lambda z: BCE(z, t, reduction), z)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_nothing_but_missing_targets(reduction):
    """S33: 0 loss and 0 gradient."""
    logits = Tensor(np.ones((2, 3)), requires_grad=True)
    loss = BCE(logits, np.full((2, 3), np.nan), reduction)
    loss.sum().backward()
    assert not loss.data.any()
    assert not logits.grad.any()


def test_binary_targets_need_the_shape_of_the_logits():
    with pytest.raises(ShapeError, match=r"binary.*\(4,\).*reshape\(-1, 1\)"):
        BCE(np.ones((4, 1)), np.ones(4))
    with pytest.raises(ShapeError, match=r"binary.*\(4, 1\).*reshape\(-1,\)"):
        BCE(np.ones(4), np.ones((4, 1)))
    with pytest.raises(ShapeError, match="binary"):
        BCE(np.ones((4, 2)), np.ones((2, 4))[:1])


def test_changed_logits_are_noticed():
    logits = Tensor(np.ones(2), requires_grad=True)
    loss = BCE(logits, np.ones(2))
    logits.mark_changed()
    with pytest.raises(GraphError, match="binary_cross_entropy_with_logits"):
        loss.backward()


@pytest.mark.parametrize("rows", [np.ones((2, 3)), np.zeros((2, 3))])
def test_rows_that_are_no_probabilities(rows):
    """The course has the labels of an example in a column."""
    with pytest.raises(ArgumentError, match=r"^cross_entropy: row 0 sums to [03], but"):
        F.cross_entropy(np.zeros((2, 3)), rows)
