"""FastRegressor: one target, several, and losses."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.preprocessing import scale

from fastdl import nn
from fastdl.sklearn import FastRegressor


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return scale(x), scale(y)


def regressor(**options):
    options = {"random_state": 0, "model_options": {"hidden": (16,)}, **options}
    return FastRegressor(**options)


def test_one_target(diabetes):
    model = regressor(max_iter=60).fit(*diabetes)
    assert model.predict(diabetes[0]).shape == (442,)
    assert model.score(*diabetes) > 0.45


def test_several_targets():
    x, y = map(scale, load_linnerud(return_X_y=True))
    model = regressor(max_iter=400, lr=0.01, tol=None).fit(x, y)
    assert model.predict(x).shape == (20, 3)
    assert model.score(x, y) > 0.8


def test_integer_targets(diabetes):
    x, y = diabetes[0], (10 * diabetes[1]).astype(int)
    model = regressor(max_iter=3)
    of_integers = model.fit(x, y).predict(x)
    np.testing.assert_array_equal(of_integers, clone(model).fit(x, 1.0 * y).predict(x))


def test_a_loss_that_outliers_move_less(diabetes):
    x, y = diabetes
    wild = y.copy()
    wild[::20] += 30
    errors = {}
    for loss in (nn.MSELoss(), nn.L1Loss()):
        model = regressor(loss=loss, max_iter=100, lr=0.003).fit(x, wild)
        errors[type(loss).__name__] = np.median(np.abs(model.predict(x) - y))
    assert errors["L1Loss"] < 0.6 * errors["MSELoss"]


def test_weights_decide_between_two_truths():
    x = np.tile(np.linspace(-1, 1, 50), 2)[:, np.newaxis]
    y = np.where(np.arange(100) < 50, x[:, 0], -x[:, 0])
    model = regressor(
        model="logistic", model_options=None, lr=0.1, max_iter=300, tol=None
    )
    for weight, slope in (((1, 0), 1), ((0, 1), -1), ((3, 1), 0.5)):
        model.fit(x, y, sample_weight=np.repeat(weight, 50))
        assert model.predict([[1.0]])[0] == pytest.approx(slope, abs=0.02)


def test_partial_fit_makes_the_passes_of_fit(diabetes):
    whole = regressor(max_iter=3, tol=None).fit(*diabetes)
    parts = regressor()
    for _ in range(3):
        parts.partial_fit(*diabetes)
    x, y = diabetes
    np.testing.assert_array_equal(whole.predict(x), parts.predict(x))
    with pytest.raises(ValueError, match="the 1 columns that it had before, got 2"):
        parts.partial_fit(x, np.stack([y, y], axis=1))


def test_early_stopping_keeps_a_part(diabetes):
    model = regressor(early_stopping=True, max_iter=300, lr=0.01).fit(*diabetes)
    assert model.n_iter_ < 300
    assert "val_loss" in model.trainer_.history
