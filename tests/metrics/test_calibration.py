"""Calibration: worked, degenerate, and the curve of scikit-learn (SPEC S27)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastdl
from fastdl import metrics, nn
from fastdl.errors import (
    ArgumentError,
    DataError,
    NonFiniteError,
    ShapeError,
)


def test_worked_by_hand():
    """S27: ten answers at 0.8, of which 6 are right, ten at 0.6, all right."""
    p = np.repeat([0.8, 0.6], 10)
    true = np.r_[np.ones(6, int), np.zeros(4, int), np.ones(10, int)]
    assert metrics.calibration_error(true, p, bins=10) == pytest.approx(0.3)
    curve = metrics.calibration_curve(true, p, bins=10)
    np.testing.assert_array_equal(curve.examples, [0] * 5 + [10, 0, 10, 0, 0])
    np.testing.assert_allclose(curve.accuracy[[5, 7]], [1, 0.6])
    np.testing.assert_allclose(curve.confidence[[5, 7]], [0.6, 0.8])
    assert np.isnan(curve.accuracy[0])
    assert curve.error == metrics.calibration_error(true, p, bins=10)


def test_the_confidence_of_classes_is_that_of_the_answer():
    """S27: expected calibration error of Guo et al."""
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25], [0.0, 1.0, 0.0]])
    right = np.array([1, 0, 0, 1])
    expected = (0.3 + 0.6 + 0.5 + 0) / 4
    true = np.where(right, p.argmax(axis=1), 0)
    true[1] = 1
    assert metrics.calibration_error(true, p, bins=10) == pytest.approx(expected)


def test_perfect_and_worst():
    """S27: of one answer, and one class."""
    assert metrics.calibration_error([1], [1.0]) == 0
    assert metrics.calibration_error([0, 0], [1.0, 1.0]) == 1
    assert metrics.calibration_error([0, 0], [0.0, 0.0]) == 0
    assert metrics.calibration_error([1, 1], [0.0, 0.0], equal="count") == 1


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 80),
    st.integers(1, 12),
    st.sampled_from([1, 2, 15]),
    st.sampled_from(["width", "count"]),
    st.integers(0, 2**32 - 1),
)
def test_curve_equal_to_scikit_learn(m, bins, digits, equal, seed):
    """S27: to 1e-12, with ties and empty bins."""
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(seed)
    p = rng.random(m).round(digits)
    true = np.r_[0, 1, rng.integers(0, 2, m)]  # it refuses a single class
    p = np.r_[0.5, 0.5, p]
    strategy = "uniform" if equal == "width" else "quantile"
    theirs = calibration.calibration_curve(true, p, n_bins=bins, strategy=strategy)
    curve = metrics.calibration_curve(true, p, bins, equal)
    some = curve.examples > 0
    assert curve.examples.sum() == m + 2
    np.testing.assert_allclose(curve.accuracy[some], theirs[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(curve.confidence[some], theirs[1], rtol=1e-12)
    error = np.average(np.abs(theirs[0] - theirs[1]), weights=curve.examples[some])
    assert metrics.calibration_error(true, p, bins, equal) == pytest.approx(
        error, rel=1e-12, abs=1e-12
    )


def test_bins_of_equal_count():
    rng = np.random.default_rng(0)
    p = rng.random(100) ** 4
    curve = metrics.calibration_curve(rng.integers(0, 2, 100), p, 10, "count")
    np.testing.assert_array_equal(curve.examples, 10)


@pytest.mark.parametrize("equal", ["width", "count"])
def test_weights(equal):
    """S27: by copies; of weight 0 an example is absent."""
    rng = np.random.default_rng(0)
    true, p, weight = rng.integers(0, 2, 50), rng.random(50), rng.integers(0, 4, 50)
    ours = metrics.calibration_curve(true, p, 5, equal, sample_weight=weight)
    assert ours.examples.sum() == weight.sum()
    if equal == "width":
        copies = metrics.calibration_error(true.repeat(weight), p.repeat(weight), 5)
        assert ours.error == pytest.approx(copies, rel=1e-12)
    some = weight > 0
    absent = metrics.calibration_error(
        true[some], p[some], 5, equal, sample_weight=weight[some]
    )
    assert ours.error == absent


def test_logits():
    rng = np.random.default_rng(0)
    logits, true = rng.normal(size=(40, 4)) * 3, rng.integers(0, 4, 40)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert metrics.calibration_error(true, logits, logits=True) == pytest.approx(
        metrics.calibration_error(true, p), rel=1e-12
    )
    several = (rng.random((40, 4)) < 0.5).astype(int)
    assert metrics.calibration_error(several, logits, logits=True) == pytest.approx(
        metrics.calibration_error(several, 1 / (1 + np.exp(-logits))), rel=1e-12
    )
    # Nothing overflows.
    assert metrics.calibration_error([0, 1], [-1e4, 1e4], logits=True) == 0
    assert metrics.calibration_error([0], [[1e4, -1e4]], logits=True) == 0


@pytest.mark.parametrize(
    ("true", "p", "error", "message"),
    [
        (
            [0, 1],
            [0.2, 3.1],
            DataError,
            r"in \[0, 1\], got 3.1; for logits say logits=",
        ),
        ([0, 1], [[2.0, -1], [0, 1]], DataError, r"got 2; for logits say logits=True"),
        ([0, 1], [[0.5, 0.1], [0, 1]], DataError, "rows that do not sum to 1"),
        ([0, 1], [0.2, np.nan], NonFiniteError, "NaN"),
        ([0, 1], [0.2], ShapeError, r"\(2,\) and \(1,\)"),
        ([0, 2], [0.2, 0.1], DataError, "labels 0 and 1"),
        ([], [], DataError, "no examples"),
    ],
)
@pytest.mark.parametrize("equal", ["width", "count"])
def test_bad_arrays(true, p, error, message, equal):
    with pytest.raises(error, match=message):
        metrics.calibration_error(true, p, equal=equal)


def test_bad_arguments():
    with pytest.raises(ShapeError, match="bins must be an integer >= 1"):
        metrics.calibration_error([0], [0.1], bins=0)
    with pytest.raises(ArgumentError, match="'widht'; did you mean 'width'"):
        metrics.calibration_error([0], [0.1], equal="widht")
    with pytest.raises(DataError, match="weight above 0"):
        metrics.calibration_error([0], [0.1], equal="count", sample_weight=[0])


def test_in_a_trainer():
    """S27: by name, of logits."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 4)).astype(np.float32), rng.integers(0, 3, 90)
    trainer = fastdl.Trainer(nn.Linear(4, 3), metrics=["calibration_error"])
    measured = trainer.evaluate(x, y, batch_size=16)["calibration_error"]
    p = trainer.predict(x, probabilities=True)
    assert measured == pytest.approx(metrics.calibration_error(y, p), abs=1e-6)


def test_bins_beyond_all_measure():
    with pytest.raises(ArgumentError, match="at most 65,536 bins"):
        metrics.calibration_error([0, 1], [0.1, 0.9], bins=10**9)


@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
def test_small_types_of_logits(dtype):
    logits = np.array([[0, 250], [250, 0]]).astype(dtype)
    assert metrics.calibration_error([1, 0], logits, logits=True) == 0
    assert metrics.roc_auc([1, 0], logits, logits=True) == 1
    with pytest.raises(NonFiniteError, match="whose highest is inf"):
        metrics.calibration_error([1, 0], [[0, np.inf], [1, 0]], logits=True)
