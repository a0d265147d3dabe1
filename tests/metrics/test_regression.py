"""Metrics of regression: worked, degenerate, and those of scikit-learn (SPEC S27)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastdl
from fastdl import metrics, nn, optim
from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    NonFiniteError,
    ShapeError,
)

TRUE, PRED = [3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]
FUNCTIONS = {
    "mean_absolute_error": metrics.mean_absolute_error,
    "mean_squared_error": metrics.mean_squared_error,
    "r2_score": metrics.r2_score,
}
every = pytest.mark.parametrize("name", FUNCTIONS)


def test_worked_by_hand():
    """S27: distances .5 .5 0 1; the mean is 2.875, its squared distances 29.1875."""
    assert metrics.mean_absolute_error(TRUE, PRED) == 0.5
    assert metrics.mean_squared_error(TRUE, PRED) == 0.375
    assert metrics.r2_score(TRUE, PRED) == pytest.approx(1 - 1.5 / 29.1875)


def test_outputs_by_themselves_or_averaged():
    """S27: several outputs."""
    true, pred = (
        np.array([[0, 10], [2, 10], [4, 40]]),
        np.array([[0, 10], [2, 10], [1, 10]]),
    )
    np.testing.assert_allclose(metrics.mean_absolute_error(true, pred, None), [1, 10])
    assert metrics.mean_absolute_error(true, pred) == 5.5
    np.testing.assert_allclose(metrics.mean_squared_error(true, pred, None), [3, 300])
    np.testing.assert_allclose(metrics.r2_score(true, pred, None), [1 - 9 / 8, -0.5])
    assert metrics.r2_score(true, pred) == pytest.approx((-0.125 - 0.5) / 2)
    assert metrics.r2_score(true, pred, "variance") == pytest.approx(1 - 909 / 608)


def test_pictures_have_one_value_for_each_pixel():
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 256, (2, 5, 4, 3, 1)).astype(np.uint8)
    apart = (true.astype(float) - pred) ** 2
    assert metrics.mean_squared_error(true, pred) == pytest.approx(apart.mean())
    np.testing.assert_allclose(
        metrics.mean_squared_error(true, pred, None), apart.mean(axis=0)
    )


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3, 1e8, 1e-300])
@pytest.mark.parametrize("cut", [1, 2, 4])
def test_r2_of_a_constant_target(constant, cut):
    """S27: 1 when all predictions are right, else 0; also where its mean is rounded."""
    true = np.full(5, constant)
    for shift, expected in ((0, 1), (1, 0)):
        streamed, other = metrics.R2Score(), metrics.R2Score()
        streamed.update(true[:cut], true[:cut] + shift)
        other.update(true[cut:], true[cut:] + shift)
        streamed.merge(other)
        assert streamed.result() == metrics.r2_score(true, true + shift) == expected


def test_r2_of_one_example_is_not_defined():
    """S27: as scikit-learn has it; an example of weight 0 is absent."""
    assert math.isnan(metrics.r2_score([1.0], [1.0]))
    assert math.isnan(metrics.r2_score([1.0, 2], [1.0, 3], sample_weight=[1, 0]))
    assert math.isnan(metrics.r2_score([[1.0, 2]], [[1.0, 3]]))


def test_r2_around_a_large_mean():
    """S27: merging loses nothing where sums of squares would lose all."""
    rng = np.random.default_rng(0)
    true = 1e9 + rng.normal(size=300)
    pred = true + 0.1 * rng.normal(size=300)
    streamed = metrics.R2Score()
    for part in np.array_split(np.arange(300), 50):
        streamed.update(true[part], pred[part])
    assert streamed.result() == pytest.approx(metrics.r2_score(true, pred), rel=1e-12)
    shifted = metrics.r2_score(true - 1e9, pred - 1e9)  # both exact
    assert streamed.result() == pytest.approx(shifted, rel=1e-12)


@st.composite
def cases(draw):
    """Targets, predictions, weights; also ties, constants and weights of 0."""
    m, outputs = draw(st.integers(2, 40)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    digits = draw(st.sampled_from([0, 3, 15]))
    true, pred = (rng.normal(scale=5, size=(2, m, outputs)) + 3).round(digits)
    if draw(st.booleans()):
        true[:, 0] = true[0, 0].round()
    if draw(st.booleans()):
        pred[:, -1] = true[:, -1]  # perfect
    if outputs == 1 and draw(st.booleans()):
        true, pred = true[:, 0], pred[:, 0]
    weight = None
    if draw(st.booleans()):
        weight = rng.integers(0, 4, m).astype(float)
        weight[:2] = 1  # sklearn counts also examples of weight 0
        # Other weights round the mean of a constant, and scikit-learn divides by that.
        if np.ptp(true.reshape(m, -1)[weight > 0], axis=0).all():
            weight *= 0.37
    return true, pred, weight


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equal_to_scikit_learn(case):
    """S27: to 1e-12, on random and degenerate input."""
    sklearn = pytest.importorskip("sklearn.metrics")
    true, pred, weight = case
    for name, function in FUNCTIONS.items():
        theirs = getattr(sklearn, name)
        averages = {"uniform": "uniform_average", None: "raw_values"}
        if name == "r2_score":
            averages["variance"] = "variance_weighted"
        for ours, word in averages.items():
            expected = theirs(true, pred, sample_weight=weight, multioutput=word)
            if np.ndim(true) == 1 and ours is None:
                expected = expected[0]
            np.testing.assert_allclose(
                function(true, pred, ours, weight), expected, rtol=1e-12, atol=1e-12
            )


@every
def test_weights_are_like_copies(name):
    rng = np.random.default_rng(1)
    true, pred = rng.normal(size=(2, 20, 2))
    weight = rng.integers(0, 4, 20)
    np.testing.assert_allclose(
        FUNCTIONS[name](true, pred, sample_weight=weight),
        FUNCTIONS[name](true.repeat(weight, 0), pred.repeat(weight, 0)),
        rtol=1e-12,
    )


BAD = {
    "(m,) against (m, 1)": ([0.0, 1], [[0.0], [1]], ShapeError, r"\(2,\).*\(2, 1\)"),
    "lengths": ([0.0, 1], [0.0], ShapeError, r"\(2,\), but y_pred has \(1,\)"),
    "one number": (0.0, 0.0, ShapeError, "got one number"),
    "text": (["a"], ["b"], DtypeError, "y_true needs numbers"),
    "complex": ([1j], [1.0], DtypeError, "y_true needs numbers"),
    "NaN": ([[0.0, 1]], [[0.0, np.nan]], NonFiniteError, r"y_pred\[0, 1\] is not fin"),
    "infinity": ([np.inf], [0.0], NonFiniteError, r"y_true\[0\]"),
    "nothing": ([], [], DataError, "no examples yet"),
}


@every
@pytest.mark.parametrize(("true", "pred", "error", "message"), BAD.values(), ids=BAD)
def test_bad_arrays(name, true, pred, error, message):
    with pytest.raises(error, match=f"{name}.*{message}"):
        FUNCTIONS[name](true, pred)


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1, 2], ShapeError, r"needs shape \(3,\), got \(2,\)"),
        ([1, -1, 1], DataError, "not negative"),
        ([1, np.nan, 1], DataError, "finite"),
        (["a", "b", "c"], DtypeError, "needs numbers"),
        ([0, 0, 0], DataError, "none of a weight above 0"),
    ],
)
@every
def test_bad_weights(name, weight, error, message):
    with pytest.raises(error, match=message):
        FUNCTIONS[name]([1.0, 2, 3], [1.0, 2, 3], sample_weight=weight)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="r2_score: unknown average 'varance'; did"):
        metrics.r2_score(TRUE, PRED, "varance")
    with pytest.raises(ArgumentError, match="mean_squared_error: unknown average"):
        metrics.MeanSquaredError("variance")
    metric = metrics.MeanSquaredError()
    metric.update([[1.0, 2]], [[1.0, 2]])
    with pytest.raises(ShapeError, match=r"of shape \(2,\) for each example, now of"):
        metric.update([1.0], [1.0])


def test_in_a_trainer():
    """S27: R2 of a real fit, by name; of the whole set however it is cut."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [-2], [0.5]], np.float32) + 3
    names = ["r2_score", "mean_absolute_error", "mean_squared_error"]
    trainer = fastdl.Trainer(
        nn.Linear(3, 1), nn.MSELoss(), lambda p: optim.SGD(p, lr=0.1), names
    )
    history = trainer.fit(x, y, epochs=20, batch_size=33, validation=(x, y))
    assert history["r2_score"][0] < 0.9
    assert history["val_r2_score"][-1] > 0.999
    measured = trainer.evaluate(x, y, batch_size=7)
    predicted = trainer.predict(x)
    for name in names:
        expected = FUNCTIONS[name](y, predicted)
        assert measured[name] == pytest.approx(expected, rel=1e-6)
    assert measured["mean_squared_error"] == pytest.approx(measured["loss"], rel=1e-4)


def test_in_a_trainer_whose_first_batch_is_one_example():
    x = np.arange(6, dtype=np.float32)[:, np.newaxis]
    trainer = fastdl.Trainer(nn.Linear(1, 1), nn.MSELoss(), metrics=["r2_score"])
    history = trainer.fit(x, 2 * x, batch_size=1)
    assert math.isfinite(history["r2_score"][0])


@pytest.mark.parametrize(
    "function",
    [metrics.mean_absolute_error, metrics.mean_squared_error, metrics.r2_score],
)
def test_what_overflows_and_what_is_ragged(function):
    far = np.array([1e308, -1e308, 1e308])
    with pytest.raises(NonFiniteError, match=f"{function.__name__}: .*overflows"):
        function(far, -far)
    with pytest.raises(ShapeError, match=f"{function.__name__}: y_true must be one"):
        function([[1], [1, 2]], [1, 2])
