"""The tools of scikit-learn, on tables that come with it."""

import pickle

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import StackingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdl import models, nn
from fastdl.sklearn import FastClassifier, FastRegressor

X, Y = load_breast_cancer(return_X_y=True)


def pipeline(**options):
    options = {"random_state": 0, "max_iter": 20, "lr": 0.003, **options}
    return make_pipeline(StandardScaler(), FastClassifier(**options))


def test_cross_val_score():
    scores = cross_val_score(pipeline(), X, Y, cv=5)
    assert scores.mean() > 0.96


def test_cross_val_score_of_a_regressor():
    model = make_pipeline(StandardScaler(), FastRegressor(max_iter=60, random_state=0))
    whole = TransformedTargetRegressor(model, transformer=StandardScaler())
    scores = cross_val_score(whole, *load_diabetes(return_X_y=True), cv=5)
    assert scores.mean() > 0.45


def test_grid_search_in_two_processes():
    grid = {
        "fastclassifier__lr": [1e-6, 3e-3],
        "fastclassifier__model": ["mlp", [nn.Linear(None, 8), nn.Linear(None, 2)]],
    }
    search = GridSearchCV(pipeline(max_iter=10), grid, cv=3, n_jobs=2).fit(X, Y)
    assert search.best_params_["fastclassifier__lr"] == 3e-3
    assert search.best_score_ > 0.95
    alone = GridSearchCV(pipeline(max_iter=10), grid, cv=3).fit(X, Y)
    for name in ("split0_test_score", "mean_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], alone.cv_results_[name])


def test_calibration():
    x, x_test, y, y_test = train_test_split(X, Y, random_state=0, stratify=Y)
    model = CalibratedClassifierCV(pipeline(), cv=3).fit(x, y)
    p = model.predict_proba(x_test)
    assert brier_score_loss(y_test, p[:, 1]) < 0.04


def test_permutation_importance_finds_what_counts():
    rng = np.random.default_rng(0)
    x, y = load_wine(return_X_y=True)
    noise = rng.normal(size=(len(x), 2))
    model = pipeline(max_iter=40).fit(np.hstack([x, noise]), y)
    result = permutation_importance(
        model, np.hstack([x, noise]), y, n_repeats=5, random_state=0, n_jobs=2
    )
    assert result.importances_mean[:-2].max() > 0.02
    assert (result.importances_mean[-2:] < 0.02).all()


def test_stacking_and_chains():
    base = [("net", pipeline()), ("line", pipeline(model="logistic"))]
    stack = StackingClassifier(base, LogisticRegression(), cv=3).fit(X, Y)
    assert stack.score(X, Y) > 0.96
    both = np.stack([Y, X[:, 0] > 14], axis=1).astype(int)
    chain = ClassifierChain(pipeline()).fit(X, both)
    assert (chain.predict(X) == both).mean() > 0.95


FITTED = {
    "one": lambda: pipeline().fit(X, Y),
    "labels": lambda: pipeline().fit(X, np.stack([Y, 1 - Y], axis=1)),
    "questions": lambda: pipeline().fit(X, np.stack([Y, 2 * Y], axis=1)),
    "function": lambda: pipeline(model=models.mlp).fit(X, Y),
}


@pytest.mark.parametrize("kind", FITTED)
def test_a_copy_predicts_the_same_and_learns_on(kind, tmp_path):
    model = FITTED[kind]()
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ]
    expected = np.array(model.predict_proba(X))
    y = model.predict(X)
    model[-1].partial_fit(X, y)
    learned = np.array(model.predict_proba(X))
    assert not np.array_equal(learned, expected)
    for copy in copies:
        np.testing.assert_array_equal(copy.predict_proba(X), expected)
        copy[-1].partial_fit(X, y)
        np.testing.assert_array_equal(copy.predict_proba(X), learned)


def test_a_clone_has_learned_nothing():
    options = {"callbacks": (), "model": [nn.Linear(None, 2)], "class_weight": {0: 2.0}}
    fitted = pipeline(**options).fit(X, Y)
    copy = clone(fitted)
    assert not hasattr(copy[-1], "trainer_")
    np.testing.assert_array_equal(
        copy.fit(X, Y).predict_proba(X), fitted.predict_proba(X)
    )


def test_names_of_features():
    pytest.importorskip("pandas")
    table, y = load_breast_cancer(return_X_y=True, as_frame=True)
    table = (table - table.mean()) / table.std()
    model = FastClassifier(max_iter=20, random_state=0).fit(table, y)
    assert model.feature_names_in_.tolist() == table.columns.tolist()
    assert model.score(table, y) > 0.95
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[table.columns[::-1]])
