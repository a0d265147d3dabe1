"""Metrics against hand-worked examples and scikit-learn (SPEC S27)."""

import numpy as np
import pytest

from fastdl import metrics
from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    NonFiniteError,
    ShapeError,
)

# Worked by hand: class 0 is found 2 of 3 times, class 1 once of 2, class 2 once of 1;
# class 0 is predicted twice (both right), 1 twice (one right), 2 twice (one right).
TRUE = [0, 0, 0, 1, 1, 2]
PRED = [0, 0, 1, 1, 2, 2]


def test_accuracy_and_error():
    """S27: accuracy, error."""
    assert metrics.accuracy(TRUE, PRED) == pytest.approx(4 / 6)
    assert metrics.error_rate(TRUE, PRED) == pytest.approx(2 / 6)


def test_confusion_matrix_has_the_true_classes_in_rows():
    """S27: confusion matrix."""
    matrix = metrics.confusion_matrix(TRUE, PRED)
    np.testing.assert_array_equal(matrix, [[2, 1, 0], [0, 1, 1], [0, 0, 1]])
    assert matrix.dtype == np.int64
    assert metrics.confusion_matrix(TRUE, PRED, classes=5).shape == (5, 5)


@pytest.mark.parametrize(
    ("metric", "per_class", "macro", "weighted"),
    [
        (metrics.precision, [1, 1 / 2, 1 / 2], 2 / 3, 3 / 4),
        (metrics.recall, [2 / 3, 1 / 2, 1], 13 / 18, 2 / 3),
        (metrics.f1, [4 / 5, 1 / 2, 2 / 3], 59 / 90, 61 / 90),
    ],
    ids=["precision", "recall", "f1"],
)
def test_per_class_and_averaged(metric, per_class, macro, weighted):
    """S27: precision, recall, F1 per class and averaged."""
    np.testing.assert_allclose(metric(TRUE, PRED), per_class)
    assert metric(TRUE, PRED, average="macro") == pytest.approx(macro)
    assert metric(TRUE, PRED, average="weighted") == pytest.approx(weighted)
    assert metric(TRUE, PRED, average="micro") == pytest.approx(4 / 6)


def test_binary_is_of_class_1():
    """S27: precision 3/4 and recall 3/5 have the harmonic mean 2/3."""
    true = [1, 1, 1, 1, 1, 0, 0, 0]
    pred = [1, 1, 1, 0, 0, 1, 0, 0]
    assert metrics.precision(true, pred, "binary") == 3 / 4
    assert metrics.recall(true, pred, "binary") == 3 / 5
    assert metrics.f1(true, pred, "binary") == pytest.approx(2 / 3)


def test_nothing_divided_by_nothing_is_zero():
    """Class 1 is never predicted, class 2 has no example, class 3 has neither."""
    true, pred = np.eye(4)[[0, 1, 0]], np.eye(4)[[0, 2, 0]]
    np.testing.assert_array_equal(metrics.precision(true, pred), [1, 0, 0, 0])
    np.testing.assert_array_equal(metrics.recall(true, pred), [1, 0, 0, 0])
    np.testing.assert_array_equal(metrics.f1(true, pred), [1, 0, 0, 0])
    # The macro average is over the classes that occur: 0, 1 and 2.
    assert metrics.f1(true, pred, "macro") == pytest.approx(1 / 3)


def test_binary_without_positives_is_zero():
    assert metrics.f1([0, 0], [0, 0], "binary") == 0


def test_scores_and_one_hot_rows():
    scores = np.array([[0.1, 0.9], [2.0, -1.0], [0.5, 0.5]])
    assert metrics.accuracy([1, 0, 0], scores) == 1  # the first of equal scores
    assert metrics.accuracy(np.eye(2)[[1, 0, 1]], scores) == pytest.approx(2 / 3)
    np.testing.assert_array_equal(
        metrics.confusion_matrix([0, 0, 0], scores), [[2, 1], [0, 0]]
    )


def test_top_k():
    """S27: top-k."""
    scores = [[0.1, 0.2, 0.4, 0.3], [0.7, 0.1, 0.1, 0.1], [0.0, 0.0, 0.0, 1.0]]
    labels = [3, 3, 1]
    ranks = {1: 0, 2: 1 / 3, 3: 2 / 3, 4: 1}  # ranks of the labels: 2, 4, 3
    for k, expected in ranks.items():
        assert metrics.top_k_accuracy(labels, scores, k) == pytest.approx(expected)


@pytest.fixture
def random_case(request):
    rng = np.random.default_rng(request.param)
    m, classes = rng.integers(1, 200), rng.integers(3, 12)
    scores = rng.normal(size=(m, classes)).round(1)  # with equal scores
    return rng.integers(0, classes, m), scores


random_cases = pytest.mark.parametrize("random_case", range(8), indirect=True)


@random_cases
def test_against_scikit_learn(random_case):
    """S27: against an independent implementation."""
    sklearn = pytest.importorskip("sklearn.metrics")
    true, scores = random_case
    classes, pred = scores.shape[1], scores.argmax(axis=1)
    every = {"labels": range(classes), "zero_division": 0}
    assert metrics.accuracy(true, scores) == pytest.approx(
        sklearn.accuracy_score(true, pred)
    )
    np.testing.assert_array_equal(
        metrics.confusion_matrix(true, scores),
        sklearn.confusion_matrix(true, pred, labels=range(classes)),
    )
    for ours, theirs in (
        (metrics.precision, sklearn.precision_score),
        (metrics.recall, sklearn.recall_score),
        (metrics.f1, sklearn.f1_score),
    ):
        np.testing.assert_allclose(
            ours(true, scores), theirs(true, pred, average=None, **every)
        )
        for average in ("macro", "micro", "weighted"):
            assert ours(true, scores, average) == pytest.approx(
                theirs(true, pred, average=average, zero_division=0)
            )
        true2, pred2 = true % 2, pred % 2
        assert ours(true2, pred2, "binary") == pytest.approx(
            theirs(true2, pred2, average="binary", zero_division=0)
        )


@random_cases
def test_top_k_against_scikit_learn(random_case):
    """S27: top-k; without equal scores, where each library has its own rule."""
    sklearn = pytest.importorskip("sklearn.metrics")
    true, scores = random_case
    classes = scores.shape[1]
    scores = np.random.default_rng(0).permuted(
        np.broadcast_to(np.arange(classes), scores.shape), axis=1
    )
    for k in range(1, classes):
        assert metrics.top_k_accuracy(true, scores, k) == pytest.approx(
            sklearn.top_k_accuracy_score(true, scores, k=k, labels=range(classes))
        )


@random_cases
def test_top_1_is_accuracy_also_with_equal_scores(random_case):
    true, scores = random_case
    assert metrics.top_k_accuracy(true, scores, 1) == metrics.accuracy(true, scores)


COMMON = [
    metrics.accuracy,
    metrics.error_rate,
    metrics.confusion_matrix,
    metrics.precision,
    metrics.recall,
    metrics.f1,
]
BAD = {
    "(m,) against (m, 1)": ([0, 1], [[0], [1]], ShapeError, r"y_pred has shape \(2, 1"),
    "(m, 1) against (m,)": ([[0], [1]], [0, 1], ShapeError, r"y_true has shape \(2, 1"),
    "lengths": ([0, 1], [0, 1, 1], ShapeError, "2 examples but y_pred has 3"),
    "three axes": ([0], np.zeros((1, 2, 3)), ShapeError, r"shape \(1, 2, 3\)"),
    "one number": (0, 0, ShapeError, r"shape \(\)"),
    "widths": (np.eye(3), np.eye(3)[:, :2], ShapeError, "2 classes, expected 3"),
    "float labels": ([0.0, 1.0], [0, 1], DtypeError, "y_true needs integer labels"),
    "float predictions": ([0, 1], [0.2, 0.9], DtypeError, "scores need rows"),
    "text labels": (["a"], ["a"], DtypeError, r"y_true needs .*; number text labels"),
    "text answers": ([0], ["a"], DtypeError, r"np\.searchsorted\(classes, y_pred\)"),
    "text rows": ([0], [["a", "b"]], DtypeError, "y_pred needs numbers"),
    "label above the scores": ([2], [[0.2, 0.8]], DataError, "labels are 0 to 1"),
    "negative label": ([-1], [[0.2, 0.8]], DataError, "label -1"),
    "several ones in a row": ([[1, 1]], [0], DataError, "sum to 1"),
    "no examples": ([], [], DataError, "no examples"),
    "NaN": ([0], [[np.nan, 1]], NonFiniteError, "y_pred has NaN"),
}


@pytest.mark.parametrize("metric", COMMON, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize(("true", "pred", "error", "message"), BAD.values(), ids=BAD)
def test_bad_arrays(metric, true, pred, error, message):
    with pytest.raises(error, match=message):
        metric(true, pred)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: metrics.f1([0], [0], "makro"),
            ArgumentError,
            "f1: unknown average 'makro'; did you mean 'macro'",
        ),
        (lambda: metrics.recall([0, 2], [0, 1], "binary"), DataError, "label 2"),
        (lambda: metrics.recall([0], np.eye(3)[:1], "binary"), ShapeError, "3 classes"),
        (lambda: metrics.confusion_matrix([-1], [0]), DataError, "label -1"),
        (lambda: metrics.confusion_matrix([0], [-1]), DataError, "y_pred has label -1"),
        (lambda: metrics.confusion_matrix([0], [3], 3), DataError, "0 to 2"),
        (lambda: metrics.confusion_matrix([0], [0], 0), ShapeError, "classes"),
        (lambda: metrics.top_k_accuracy([0], [1], 1), ShapeError, "needs scores"),
        (lambda: metrics.top_k_accuracy([0], [[1, 2]], 3), ArgumentError, "k = 3"),
        (lambda: metrics.top_k_accuracy([0], [[1, 2]], 0), ShapeError, "k must be"),
        (lambda: metrics.top_k_accuracy([2], [[1, 2]], 1), DataError, "label 2"),
        (lambda: metrics.top_k_accuracy([], np.ones((0, 2)), 1), DataError, "no ex"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_empty_confusion_matrix_when_the_classes_are_known():
    np.testing.assert_array_equal(
        metrics.confusion_matrix([], np.zeros((0, 2))), np.zeros((2, 2))
    )


def test_labels_that_no_int64_holds():
    with pytest.raises(DataError, match="label 18446744073709551615, which is above"):
        metrics.accuracy(np.array([2**64 - 1], np.uint64), [-1])


@pytest.mark.parametrize("function", [metrics.accuracy, metrics.error_rate, metrics.f1])
def test_each_pixel_is_an_example(function):
    rng = np.random.default_rng(0)
    y, scores = rng.integers(0, 3, (4, 5, 6)), rng.normal(size=(4, 5, 6, 3))
    expected = function(y.ravel(), scores.reshape(-1, 3))
    for true in (y, np.eye(3)[y]):
        for pred in (scores, scores.argmax(-1)):
            np.testing.assert_array_equal(function(true, pred), expected)
    with pytest.raises(ShapeError, match=r"shape \(4, 5, 6\)"):
        function(y, scores[:3])
