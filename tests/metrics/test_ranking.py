"""ROC, its area, average precision: worked, degenerate, scikit-learn's (SPEC S27)."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastdl
from fastdl import metrics, nn
from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    NonFiniteError,
    ShapeError,
)

TRUE, SCORES = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]


def test_worked_by_hand():
    """S27: three of four pairs of yes and no are in order; precision 1, 2/3."""
    assert metrics.roc_auc(TRUE, SCORES) == 0.75
    assert metrics.average_precision(TRUE, SCORES) == pytest.approx((1 + 2 / 3) / 2)


def test_roc_curve_worked_by_hand():
    """S27: ROC curve."""
    curve = metrics.roc_curve(TRUE, SCORES)
    np.testing.assert_array_equal(curve.false_positive_rate, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_array_equal(curve.true_positive_rate, [0, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(curve.thresholds, [np.inf, 0.8, 0.4, 0.35, 0.1])


def test_equal_scores_are_a_coin():
    """S27: ties count half."""
    assert metrics.roc_auc([0, 1, 0, 1], [3, 3, 3, 3]) == 0.5
    assert metrics.average_precision([0, 1, 0, 1], [3, 3, 3, 3]) == 0.5
    assert metrics.roc_auc([0, 1], [1, 1]) == 0.5
    curve = metrics.roc_curve([0, 1, 0, 1], [3, 3, 3, 3])
    assert curve.thresholds.tolist() == [math.inf, 3]


def test_one_class_is_not_defined():
    """S27: NaN where scikit-learn warns; a curve is refused."""
    for label in (0, 1):
        assert math.isnan(metrics.roc_auc([label] * 3, [0.1, 0.2, 0.3]))
        with pytest.raises(DataError, match="needs examples of both classes"):
            metrics.roc_curve([label] * 3, [0.1, 0.2, 0.3])
    assert math.isnan(metrics.average_precision([0, 0], [0.1, 0.2]))
    assert metrics.average_precision([1, 1], [0.1, 0.2]) == 1
    with pytest.raises(DataError, match="class 1, there is none"):
        metrics.precision_recall_curve([0, 0], [0.1, 0.2])
    assert math.isnan(metrics.roc_auc(TRUE, SCORES, sample_weight=[1, 1, 0, 0]))


def quiet(function, *args, **options):
    """Call scikit-learn, whose warnings say what our docstrings do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **options)


@st.composite
def cases(draw):
    """Labels, scores with ties, weights; also one class only and weights of 0."""
    m, labels = draw(st.integers(2, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    true = (rng.random((m, labels)) < rng.random()).astype(int)
    if draw(st.booleans()):
        true[0], true[1] = 0, 1  # no label without both
    scores = (rng.normal(size=(m, labels)) + true).round(draw(st.integers(0, 3)))
    if draw(st.booleans()):
        scores = scores.astype(np.float32)
    weight = None
    if draw(st.booleans()):
        weight = rng.integers(0, 4, m) * draw(st.sampled_from([1, 0.37]))
        weight[:2] = 1
    return true, scores, weight


@settings(max_examples=70, deadline=None)
@given(cases())
def test_equal_to_scikit_learn(case):
    """S27: to 1e-12, with ties, weights, and labels that hold never or always."""
    sklearn = pytest.importorskip("sklearn.metrics")
    true, scores, weight = case
    counted = slice(None) if weight is None else weight > 0
    some = true[counted].any(axis=0)
    both = some & ~true[counted].all(axis=0)
    for column in range(true.shape[1]):
        one = true[:, column], scores[:, column]
        area = metrics.roc_auc(*one, sample_weight=weight)
        precision = metrics.average_precision(*one, sample_weight=weight)
        if both[column]:
            expected = sklearn.roc_auc_score(*one, sample_weight=weight)
            assert area == pytest.approx(expected, rel=1e-12, abs=1e-12)
            curve = sklearn.roc_curve(
                *one, sample_weight=weight, drop_intermediate=False
            )
            for ours, theirs in zip(
                metrics.roc_curve(*one, weight), curve, strict=True
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        else:
            assert math.isnan(area)
        if some[column]:
            expected = sklearn.average_precision_score(*one, sample_weight=weight)
            assert precision == pytest.approx(expected, rel=1e-12, abs=1e-12)
            curve = sklearn.precision_recall_curve(*one, sample_weight=weight)
            ours = metrics.precision_recall_curve(*one, weight)
            for mine, theirs in zip(ours, curve, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)
        else:
            assert math.isnan(precision)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_averages_of_labels_equal_to_scikit_learn(case):
    """S27: multi-label forms."""
    sklearn = pytest.importorskip("sklearn.metrics")
    true, scores, weight = case
    counted = slice(None) if weight is None else weight > 0
    some = true[counted].any(axis=0)
    for ours, theirs, defined in (
        (metrics.roc_auc, sklearn.roc_auc_score, some & ~true[counted].all(axis=0)),
        (metrics.average_precision, sklearn.average_precision_score, some),
    ):
        if not defined.all():
            assert math.isnan(ours(true, scores, sample_weight=weight))
            continue
        for average in ("macro", "micro", "weighted", None):
            expected = quiet(
                theirs, true, scores, average=average, sample_weight=weight
            )
            value = ours(true, scores, average, sample_weight=weight)
            if average is None and true.shape[1] == 1:
                expected = np.ravel(expected)[0]
            np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_classes_against_all_others(seed):
    """S27: labels of several classes, as scikit-learn's "ovr"."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    true = np.r_[0, 1, 2, rng.integers(0, 3, 40)]
    logits = rng.normal(size=(43, 3)) + np.eye(3)[true]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for average in ("macro", "weighted", "micro", None):
        expected = sklearn.roc_auc_score(true, p, average=average, multi_class="ovr")
        ours = metrics.roc_auc(true, p, average)
        np.testing.assert_allclose(ours, expected, rtol=1e-12)
        np.testing.assert_allclose(
            metrics.roc_auc(true, logits, average, logits=True), expected, rtol=1e-12
        )
        np.testing.assert_allclose(
            metrics.average_precision(true, p, average),
            sklearn.average_precision_score(true, p, average=average),
            rtol=1e-12,
        )


def test_rows_of_two_classes():
    rng = np.random.default_rng(0)
    true, logits = rng.integers(0, 2, 30), rng.normal(size=(30, 2))
    p = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    expected = metrics.roc_auc(true, p)
    assert metrics.roc_auc(true, np.c_[1 - p, p]) == expected
    assert metrics.roc_auc(true, logits, logits=True) == expected
    assert metrics.roc_auc(true[:, np.newaxis], p[:, np.newaxis]) == expected


def test_sure_logits_are_no_ties():
    """Their probabilities would be rounded to 1, all of them."""
    logits = np.array([[0, 100], [0, 101], [0, 102], [0, 103]])
    assert metrics.roc_auc([0, 0, 1, 1], logits, logits=True) == 1


BAD = {
    "lengths": ([0, 1], [0.1], ShapeError, r"\(2,\) and \(1,\)"),
    "(m,) against (m, 1)": ([0, 1], [[0.1], [0.2]], ShapeError, r"\(2, 1\)"),
    "labels": ([0, 2], [0.1, 0.2], DataError, "labels 0 and 1, got 2"),
    "missing label": ([0, np.nan], [0.1, 0.2], DataError, "got nan"),
    "text labels": (["a"], [0.1], DtypeError, "labels 0 and 1, got dtype"),
    "text scores": ([0], ["a"], DtypeError, "scores need numbers"),
    "NaN": ([0, 1], [0.1, np.nan], NonFiniteError, "NaN"),
    "nothing": ([], [], DataError, "no examples"),
    "label above": ([3, 0], [[0.1, 0.9], [0.1, 0.9]], DataError, "label 3"),
}


@pytest.mark.parametrize("function", [metrics.roc_auc, metrics.average_precision])
@pytest.mark.parametrize(("true", "pred", "error", "message"), BAD.values(), ids=BAD)
def test_bad_arrays(function, true, pred, error, message):
    with pytest.raises(error, match=message):
        function(true, pred)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="'makro'; did you mean 'macro'"):
        metrics.roc_auc(TRUE, SCORES, "makro")
    with pytest.raises(ShapeError, match="there are 3; give one column"):
        metrics.roc_curve([0, 1, 2], np.eye(3))
    metric = metrics.RocAuc()
    metric.update(TRUE, SCORES)
    with pytest.raises(ShapeError, match="there were 1 labels, now 3"):
        metric.update([0, 1, 2], np.eye(3))
    with pytest.raises(DataError, match="no examples"):
        metrics.roc_curve(TRUE, SCORES, [0, 0, 0, 0])


def test_a_reused_array_is_copied():
    scores = np.array(SCORES)
    metric = metrics.RocAuc()
    metric.update(TRUE, scores)
    scores[:] = 0
    assert metric.result() == 0.75


@pytest.mark.parametrize("classes", [2, 3])
def test_in_a_trainer(classes):
    """S27: by name, of logits, over batches without some of the classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4)).astype(np.float32)
    y = np.sort(rng.integers(0, classes, 90))
    trainer = fastdl.Trainer(
        nn.Linear(4, classes), metrics=["roc_auc", "average_precision"]
    )
    trainer.fit(x, y, shuffle=False, batch_size=16)
    measured = trainer.evaluate(x, y, batch_size=16)
    p = trainer.predict(x, probabilities=True)
    assert measured["roc_auc"] == pytest.approx(metrics.roc_auc(y, p), abs=1e-3)
    expected = metrics.average_precision(y, trainer.predict(x), logits=True)
    assert measured["average_precision"] == expected


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "top_k_accuracy", "f1"])
def test_rows_that_differ_in_length(name):
    with pytest.raises(ShapeError, match="y_pred must be one array; are all rows"):
        getattr(metrics, name)([0, 1], [[1], [1, 2]])
