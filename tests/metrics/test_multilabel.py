"""Metrics of several labels an example: worked, and scikit-learn's (SPEC S27)."""

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

TRUE = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]])
PRED = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 1], [0, 0, 0]])
RATIOS = {
    "precision": (metrics.multilabel_precision, [1, 1, 1 / 2]),
    "recall": (metrics.multilabel_recall, [1, 1 / 2, 1 / 2]),
    "f1": (metrics.multilabel_f1, [1, 2 / 3, 1 / 2]),
}
ratios = pytest.mark.parametrize("name", RATIOS)


@ratios
def test_worked_by_hand(name):
    """S27: per label and averaged."""
    function, each = RATIOS[name]
    np.testing.assert_allclose(function(TRUE, PRED), each)
    assert function(TRUE, PRED, "macro") == pytest.approx(np.mean(each))
    assert function(TRUE, PRED, "weighted") == pytest.approx(np.mean(each))
    micro = {"precision": 4 / 5, "recall": 4 / 6, "f1": 8 / 11}
    assert function(TRUE, PRED, "micro") == pytest.approx(micro[name])


def test_whole_examples_and_single_answers():
    """S27: subset accuracy, Hamming loss."""
    assert metrics.subset_accuracy(TRUE, PRED) == 2 / 4
    assert metrics.hamming_loss(TRUE, PRED) == 3 / 12


@ratios
def test_nothing_divided_by_nothing_is_zero(name):
    function, _ = RATIOS[name]
    nothing = np.zeros((3, 2), int)
    np.testing.assert_array_equal(function(nothing, nothing), [0, 0])
    for average in ("macro", "micro", "weighted"):
        assert function(nothing, nothing, average) == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 2**32 - 1), st.booleans())
def test_equal_to_scikit_learn(m, labels, seed, weighted):
    """S27: to 1e-12, on random and degenerate input."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    true, pred = (rng.random((2, m, labels)) < rng.random(2)[:, None, None]).astype(int)
    weight = None
    if weighted:
        weight = rng.integers(0, 4, m) * 0.37
        weight[0] = 1
    near = {"rtol": 1e-12, "atol": 1e-12}
    for name, (function, _) in RATIOS.items():
        for average in (None, "macro", "micro", "weighted"):
            np.testing.assert_allclose(
                function(true, pred, average, sample_weight=weight),
                getattr(sklearn, f"{name}_score")(
                    true, pred, average=average, sample_weight=weight, zero_division=0
                ),
                **near,
            )
    np.testing.assert_allclose(
        metrics.hamming_loss(true, pred, sample_weight=weight),
        sklearn.hamming_loss(true, pred, sample_weight=weight),
        **near,
    )
    np.testing.assert_allclose(
        metrics.subset_accuracy(true, pred, sample_weight=weight),
        sklearn.accuracy_score(true, pred, sample_weight=weight),
        **near,
    )


def test_scores_from_a_threshold_on():
    scores = np.where(PRED, 0.5, -0.1)
    for threshold in (0, 0.5, [0, 0.2, 0.5]):
        assert metrics.hamming_loss(TRUE, scores, threshold) == 0.25
        assert metrics.subset_accuracy(TRUE, scores, threshold) == 0.5
        assert metrics.multilabel_f1(TRUE, scores, "micro", threshold) == 8 / 11
    assert metrics.hamming_loss(TRUE, scores, threshold=0.6) == 6 / 12


def test_one_label():
    assert metrics.multilabel_f1([0, 1, 1], [0, 1, 0], "macro") == pytest.approx(2 / 3)
    column = np.array([[0], [1], [1]])
    assert metrics.subset_accuracy(column, column - 0.5, 0.0) == 1


BAD = {
    "shapes": (TRUE, PRED[:, :2], None, ShapeError, r"\(4, 3\) and \(4, 2\)"),
    "other labels": (TRUE * 2, PRED, None, DataError, "y_true needs labels 0 and 1"),
    "other answers": (TRUE, PRED * 2, None, DataError, "y_pred needs labels 0 and 1"),
    "no threshold": (TRUE, PRED * 1.0, None, DtypeError, "threshold=0 for logits"),
    "NaN": (TRUE, PRED * np.nan, 0, NonFiniteError, "NaN"),
    "thresholds": (TRUE, PRED * 1.0, [0, 1], ShapeError, r"got shape \(2,\) for \(3,"),
    "text": (TRUE, PRED.astype(str), 0, DtypeError, "scores need numbers"),
    "no number": (TRUE, PRED * 1.0, "half", ArgumentError, "must be a number"),
    "nothing": (TRUE[:0], PRED[:0], None, DataError, "no examples"),
}


@pytest.mark.parametrize(
    ("true", "pred", "threshold", "error", "message"), BAD.values(), ids=BAD
)
@pytest.mark.parametrize(
    "function",
    [*(f for f, _ in RATIOS.values()), metrics.hamming_loss, metrics.subset_accuracy],
)
def test_bad_arrays(function, true, pred, threshold, error, message):
    with pytest.raises(error, match=message):
        function(true, pred, threshold=threshold)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="'makro'; did you mean 'macro'"):
        metrics.multilabel_f1(TRUE, PRED, "makro")
    metric = metrics.HammingLoss()
    metric.update(TRUE, PRED)
    with pytest.raises(ShapeError, match="there were 3 labels, now 2"):
        metric.update(TRUE[:, :2], PRED[:, :2])


def test_in_a_trainer():
    """S27: by name, of logits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = (rng.random((60, 3)) < 0.4).astype(np.float32)
    names = ["multilabel_f1", "multilabel_precision", "multilabel_recall"]
    names += ["subset_accuracy", "hamming_loss"]
    trainer = fastdl.Trainer(nn.Linear(4, 3), nn.BCEWithLogitsLoss(), metrics=names)
    trainer.fit(x, y)
    measured = trainer.evaluate(x, y, batch_size=16)
    answers = (trainer.predict(x) > 0).astype(int)
    for name in names:
        options = {"average": "macro"} if name.startswith("multi") else {}
        expected = getattr(metrics, name)(y.astype(int), answers, **options)
        assert measured[name] == expected
