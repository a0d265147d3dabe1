import numpy as np
import pytest

from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.reference import (
    activation_forward,
    log_softmax_forward,
    sigmoid_cross_entropy_backward,
    sigmoid_cross_entropy_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    softmax_forward,
)

HUGE = [1e4, 1e300, np.finfo(float).max]


def test_s06_worked_example():
    """S06: [5, 2, -1, 3] -> [0.842, 0.042, 0.002, 0.114]."""
    p = softmax_forward(np.array([[5.0, 2, -1, 3]]))
    np.testing.assert_array_equal(np.round(p, 3), [[0.842, 0.042, 0.002, 0.114]])


def test_s06_two_classes_are_logistic_regression(rng):
    """S06: softmax of (z, 0) is sigmoid(z)."""
    z = rng.standard_normal(9)
    p = softmax_forward(np.stack([z, np.zeros(9)], axis=1))
    np.testing.assert_allclose(p[:, 0], activation_forward(z, "sigmoid"))


@pytest.mark.parametrize("size", HUGE)
def test_s06_any_finite_logit(size):
    """S06: rows sum to 1 for logits of any finite size."""
    logits = np.array([[size, -size, 0], [size, size, -size], [-size, -size, -size]])
    p = softmax_forward(logits)
    np.testing.assert_allclose(p, [[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])
    loss, p = softmax_cross_entropy_forward(logits, np.array([0, 1, 2]))
    np.testing.assert_allclose(loss, [0, np.log(2), np.log(3)], atol=1e-15)
    one_hot = np.eye(3)
    np.testing.assert_array_equal(
        softmax_cross_entropy_forward(logits, one_hot)[0], loss
    )


def test_any_leading_axes(rng):
    x = rng.standard_normal((2, 3, 5))
    p = softmax_forward(x)
    np.testing.assert_allclose(p[1, 2], softmax_forward(x[1, 2]))
    np.testing.assert_allclose(np.exp(log_softmax_forward(x)), p)


def test_log_softmax_keeps_small_probabilities():
    np.testing.assert_allclose(log_softmax_forward(np.array([0.0, -2000])), [0, -2000])


@pytest.mark.parametrize(
    "labels", [np.array([1]), np.eye(4)[[1]]], ids=["int", "one-hot"]
)
def test_s07_worked_example(labels):
    """S07: yhat = [0.3, 0.2, 0.1, 0.4], class 1 -> -log 0.2, dz = (yhat - y) / m."""
    yhat = np.array([[0.3, 0.2, 0.1, 0.4]])
    loss, p = softmax_cross_entropy_forward(np.log(yhat), labels)
    np.testing.assert_allclose(loss, [-np.log(0.2)])
    np.testing.assert_allclose(p, yhat)
    dz = softmax_cross_entropy_backward(p, labels, np.ones(1))
    np.testing.assert_allclose(dz, [[0.3, -0.8, 0.1, 0.4]])


@pytest.mark.parametrize("kind", ["int", "weights"])
def test_one_loss_of_all_examples(kind, rng):
    """The scaled sum, and the same gradient for each example."""
    logits = rng.standard_normal((5, 3))
    labels = rng.integers(0, 3, 5) if kind == "int" else rng.random((5, 3))
    losses, p = softmax_cross_entropy_forward(logits, labels)
    mean, _ = softmax_cross_entropy_forward(logits, labels, scale=1 / 5)
    assert mean.shape == ()
    np.testing.assert_allclose(mean, losses.mean())
    np.testing.assert_array_equal(
        softmax_cross_entropy_backward(p, labels, np.array(0.2)),
        softmax_cross_entropy_backward(p, labels, np.full(5, 0.2)),
    )


@pytest.mark.parametrize("kind", ["int", "one-hot", "probabilities", "weights"])
def test_softmax_cross_entropy_backward(kind, rng, numeric_gradient):
    """By finite differences; rows that do not sum to 1 have exact gradients too."""
    logits, dloss = rng.standard_normal((3, 4)), rng.standard_normal(3)
    labels = {
        "int": np.array([0, 3, 1]),
        "one-hot": np.eye(4)[[0, 3, 1]],
        "probabilities": softmax_forward(rng.standard_normal((3, 4))),
        "weights": np.array([[0, 0, 0, 0], [1, 0, 2, 0], [0.5, 0, 0, 0]]),
    }[kind]
    _, p = softmax_cross_entropy_forward(logits, labels)
    dlogits = softmax_cross_entropy_backward(p, labels, dloss)

    def forward(logits):
        return softmax_cross_entropy_forward(logits, labels)[0]

    np.testing.assert_allclose(
        dlogits, numeric_gradient(forward, logits, dloss), atol=1e-8
    )


def test_integer_one_hot_rows(rng):
    logits = rng.standard_normal((2, 3))
    rows = np.array([[0, 1, 0], [1, 0, 0]])
    loss, p = softmax_cross_entropy_forward(logits, rows)
    expected, _ = softmax_cross_entropy_forward(logits, np.array([1, 0]))
    np.testing.assert_array_equal(loss, expected)
    dlogits = softmax_cross_entropy_backward(p, rows, np.ones(2))
    np.testing.assert_allclose(dlogits, p - rows)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.array([0, 4]), ArgumentError, "labels from 0 to 3, got 4"),
        (np.array([-1, 0]), ArgumentError, "labels from 0 to 3, got -1"),
        (np.array([0.0, 1]), DtypeError, "expected integer labels, got type float64"),
        (np.array([[0], [1]]), ShapeError, r"got \(2, 1\); use labels.reshape"),
    ],
)
def test_labels_that_numpy_would_take(labels, error, message):
    with pytest.raises(error, match=f"cross_entropy: .*{message}"):
        softmax_cross_entropy_forward(np.zeros((2, 4)), labels)


def test_empty_batch():
    loss, p = softmax_cross_entropy_forward(np.ones((0, 3)), np.ones(0, int))
    assert loss.shape == (0,)
    dlogits = softmax_cross_entropy_backward(p, np.ones(0, int), loss)
    assert dlogits.shape == (0, 3)


@pytest.mark.parametrize("size", HUGE)
def test_s01_sigmoid_cross_entropy_of_huge_logits(size):
    """S01: no overflow; the loss of a wrong logit is its size."""
    logits = np.array([size, size, -size, -size])
    targets = np.array([1.0, 0, 0, 1])
    loss = sigmoid_cross_entropy_forward(logits, targets)
    np.testing.assert_array_equal(loss, [0, size, 0, size])
    dlogits = sigmoid_cross_entropy_backward(logits, targets, np.ones(4))
    np.testing.assert_array_equal(dlogits, [0, 1, 0, -1])


def test_sigmoid_cross_entropy_is_its_definition(rng):
    z, t = rng.standard_normal((3, 4)), rng.random((3, 4))
    s = 1 / (1 + np.exp(-z))
    expected = -t * np.log(s) - (1 - t) * np.log(1 - s)
    np.testing.assert_allclose(sigmoid_cross_entropy_forward(z, t), expected)


def test_sigmoid_cross_entropy_backward(rng, numeric_gradient):
    """By finite differences, one target missing."""
    z, t, dloss = rng.standard_normal((3, 4)), rng.random((3, 4)), rng.random((3, 4))
    t[1, 2] = np.nan

    def forward(z):
        return sigmoid_cross_entropy_forward(z, t)

    dz = sigmoid_cross_entropy_backward(z, t, dloss)
    np.testing.assert_allclose(dz, numeric_gradient(forward, z, dloss), atol=1e-9)


def test_s33_missing_targets():
    """S33: NaN targets give loss 0 and gradient 0."""
    z, t = np.array([3.0, -1]), np.full(2, np.nan)
    np.testing.assert_array_equal(sigmoid_cross_entropy_forward(z, t), 0)
    np.testing.assert_array_equal(sigmoid_cross_entropy_backward(z, t, np.ones(2)), 0)


def test_sigmoid_cross_entropy_does_not_broadcast():
    with pytest.raises(ShapeError, match=r"targets of shape \(3,\), got \(3, 1\)"):
        sigmoid_cross_entropy_forward(np.zeros(3), np.zeros((3, 1)))
