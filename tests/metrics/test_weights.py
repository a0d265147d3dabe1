"""Weights of examples in the metrics of classifiers (SPEC S27)."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import metrics
from fastdl.errors import DataError, DtypeError, ShapeError

FUNCTIONS = [
    metrics.accuracy,
    metrics.error_rate,
    metrics.confusion_matrix,
    metrics.precision,
    metrics.recall,
    metrics.f1,
    metrics.cohen_kappa,
    lambda *args, **options: metrics.top_k_accuracy(*args, k=2, **options),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_weights_are_like_copies(function):
    """S27: a weight of 0 is like no example."""
    rng = np.random.default_rng(0)
    true, scores = rng.integers(0, 4, 30), rng.normal(size=(30, 4))
    weight = rng.integers(0, 4, 30)
    np.testing.assert_allclose(
        function(true, scores, sample_weight=weight),
        function(true.repeat(weight), scores.repeat(weight, axis=0)),
        rtol=1e-12,
    )


def test_a_matrix_of_weights():
    matrix = metrics.confusion_matrix([0, 1, 1], [0, 1, 0], sample_weight=[0.5, 2, 1])
    np.testing.assert_array_equal(matrix, [[0.5, 0], [1, 2]])
    assert matrix.dtype == np.float64
    counted = metrics.ConfusionMatrix()
    counted.update([0, 1], [0, 1])
    assert counted.result().dtype == np.int64
    counted.update([1, 1], [0, 1], [0.25, 1])
    np.testing.assert_array_equal(counted.result(), [[1, 0], [0.25, 2]])
    assert counted.recall()[1] == 2 / 2.25


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_equal_to_scikit_learn(m, classes, seed):
    """S27: to 1e-12, on random and degenerate input."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    true, pred = rng.integers(0, classes, (2, m))
    weight = rng.integers(0, 3, m) * 0.37
    weight[0] = 1
    near = {"rtol": 1e-12, "atol": 1e-12}
    labels = {"labels": range(classes), "sample_weight": weight}
    np.testing.assert_allclose(
        metrics.accuracy(true, pred, weight),
        sklearn.accuracy_score(true, pred, sample_weight=weight),
        **near,
    )
    np.testing.assert_allclose(
        metrics.confusion_matrix(true, pred, classes, weight),
        sklearn.confusion_matrix(true, pred, **labels),
        **near,
    )
    some = weight > 0
    for name in ("precision", "recall", "f1"):
        ours, theirs = getattr(metrics, name), getattr(sklearn, f"{name}_score")
        present = np.union1d(true, pred)
        np.testing.assert_allclose(
            ours(true, pred, None, weight)[present],
            theirs(true, pred, average=None, sample_weight=weight, zero_division=0),
            **near,
        )
        for average in ("macro", "micro", "weighted"):
            # To the macro average of scikit-learn classes of weight 0 still belong.
            np.testing.assert_allclose(
                ours(true, pred, average, weight),
                theirs(
                    true[some],
                    pred[some],
                    average=average,
                    sample_weight=weight[some],
                    zero_division=0,
                ),
                **near,
            )


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(3, 6), st.integers(0, 2**32 - 1))
def test_top_k_equal_to_scikit_learn(m, classes, seed):
    """S27: without equal scores, where each library has its own rule."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, m)
    scores = rng.permuted(np.tile(np.arange(classes), (m, 1)), axis=1)
    weight = rng.integers(0, 3, m) + 0.5
    for k in range(1, classes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = sklearn.top_k_accuracy_score(
                true, scores, k=k, labels=range(classes), sample_weight=weight
            )
        ours = metrics.top_k_accuracy(true, scores, k, weight)
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS[:-1], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1], ShapeError, r"needs shape \(2,\), got \(1,\)"),
        (1.0, ShapeError, r"got \(\)"),
        (["a", "b"], DtypeError, "needs numbers"),
        ([1, -1], DataError, "finite and not negative"),
        ([1, np.inf], DataError, "finite and not negative"),
        ([1, 1e300], DataError, "from 1e-100 to 1e.100; got 1e.300"),
        ([1, 5e-324], DataError, "from 1e-100 to 1e.100; got 4.94066e-324"),
        ([[1], [1, 2]], ShapeError, "are all rows of the same length"),
    ],
)
def test_bad_weights(function, weight, error, message):
    with pytest.raises(error, match=f"{function.__name__}: .*{message}"):
        function([0, 1], [0, 1], sample_weight=weight)


@pytest.mark.parametrize(
    "function", [metrics.accuracy, metrics.f1, metrics.cohen_kappa]
)
def test_no_weight_at_all(function):
    with pytest.raises(DataError, match="none of a weight above 0"):
        function([0, 1], [0, 1], sample_weight=[0, 0])
