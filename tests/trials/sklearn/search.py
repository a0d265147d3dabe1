"""A scikit-learn user's second script: everything of model_selection.

He wanted GridSearchCV, RandomizedSearchCV, cross_val_score and cross_validate, learning
and validation curves, CalibratedClassifierCV and permutation_importance.
"""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.inspection import permutation_importance
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdl.sklearn import FastClassifier

x, y = load_breast_cancer(return_X_y=True, as_frame=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, stratify=y)
model = make_pipeline(StandardScaler(), FastClassifier(max_iter=15, random_state=0))

accuracies = cross_val_score(model, x_train, y_train, cv=4)
scores = cross_validate(
    model, x_train, y_train, cv=3, scoring=["roc_auc", "f1", "neg_log_loss"]
)

grid = GridSearchCV(
    model,
    {
        "fastclassifier__lr": [1e-3, 1e-2],
        # not hidden_layer_sizes
        "fastclassifier__model_options": [{"hidden": (16,)}, {"hidden": (32, 32)}],
    },
    cv=3,
).fit(x_train, y_train)

random = RandomizedSearchCV(
    model,
    {
        "fastclassifier__lr": np.geomspace(1e-3, 3e-2, 20),
        "fastclassifier__weight_decay": np.geomspace(1e-6, 1e-3, 20),
        "fastclassifier__batch_size": [16, 64],
    },
    n_iter=4,
    cv=3,
    random_state=0,
).fit(x_train, y_train)

sizes, _, by_size = learning_curve(
    model,
    x_train,
    y_train,
    train_sizes=[0.2, 0.6, 1.0],
    cv=3,
    shuffle=True,
    random_state=0,
)
_, by_rate = validation_curve(
    model,
    x_train,
    y_train,
    param_name="fastclassifier__lr",
    param_range=[1e-5, 1e-2],
    cv=3,
)
calibrated = CalibratedClassifierCV(model, cv=3).fit(x_train, y_train)
brier = brier_score_loss(y_test, calibrated.predict_proba(x_test)[:, 1])
importance = permutation_importance(
    grid.best_estimator_, x_test, y_test, n_repeats=2, random_state=0
).importances_mean
print(accuracies, grid.best_params_, random.best_params_, by_size.mean(axis=1), brier)

assert accuracies.mean() > 0.93
assert scores["test_roc_auc"].mean() > 0.97
assert grid.best_score_ > 0.95 and grid.score(x_test, y_test) > 0.93
assert random.best_score_ > 0.95
assert by_size[-1].mean() >= by_size[0].mean()
assert by_rate[1].mean() > by_rate[0].mean()
assert brier < 0.06
assert importance.shape == (30,) and np.isfinite(importance).all()
