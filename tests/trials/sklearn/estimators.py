"""A scikit-learn user's third script: what estimators can do beside fit and predict.

He wanted partial_fit, warm_start, class_weight, sample_weight, early stopping, several
labels and several outputs, clone, pickle and joblib.
"""

import pickle
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier

from fastdl.sklearn import FastClassifier, FastRegressor

x, y = load_breast_cancer(return_X_y=True, as_frame=True)
x = (x - x.mean()) / x.std()
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)

# A part at a time.
parts = FastClassifier(random_state=0)
for epoch in range(5):
    for rows in np.array_split(np.arange(len(x_train)), 3):
        parts.partial_fit(x_train.iloc[rows], y_train.iloc[rows], classes=[0, 1])

# fit goes on.
warm = FastClassifier(max_iter=3, warm_start=True, random_state=0)
first = warm.fit(x_train, y_train).loss_curve_[-1]
second = warm.fit(x_train, y_train).loss_curve_[-1]

early = FastClassifier(early_stopping=True, n_iter_no_change=5, random_state=0)
early.fit(x_train, y_train)

# Rare positives: 30 of them.
rare = np.r_[np.flatnonzero(y_train == 1), np.flatnonzero(y_train == 0)[:12]]
a, b = x_train.iloc[rare], y_train.iloc[rare]
few = {"max_iter": 4, "random_state": 0}
plain = FastClassifier(**few).fit(a, b)
balanced = FastClassifier(class_weight="balanced", **few).fit(a, b)
weighted = FastClassifier(**few).fit(a, b, sample_weight=np.where(b == 0, 20.0, 1.0))
found = [
    recall_score(y_test, m.predict(x_test), pos_label=0)
    for m in (plain, balanced, weighted)
]

# Several labels, and several questions of one picture.
many_x, many_y = make_multilabel_classification(400, n_classes=4, random_state=0)
labels = FastClassifier(max_iter=30, random_state=0).fit(many_x, many_y)
digits, digit = load_digits(return_X_y=True)
digits = (digits / 16).astype("float32")
questions = pd.DataFrame({"digit": digit, "even": np.where(digit % 2, "odd", "even")})
questions = questions.astype(str)  # columns of numbers and of text do not mix
two = FastClassifier(max_iter=15, random_state=0).fit(digits[:1200], questions[:1200])
of_digit, of_even = two.predict_proba(digits[1200:])
both = FastRegressor(max_iter=15, random_state=0)
both.fit(digits[:1200], np.stack([digit[:1200] / 9, digit[:1200] % 2], axis=1))
one_each = OneVsRestClassifier(FastClassifier(max_iter=15)).fit(
    digits[:600], digit[:600]
)

# Kept.
path = Path(tempfile.mkdtemp()) / "early.joblib"
joblib.dump(early, path)
kept = [pickle.loads(pickle.dumps(early)), joblib.load(path)]
print(first, second, early.n_iter_, found)

assert parts.score(x_test, y_test) > 0.93 and parts.n_iter_ == 15
assert second < first
assert early.n_iter_ < 200 and early.score(x_test, y_test) > 0.93
assert found[1] > found[0] and found[2] > found[0], found
assert labels.predict_proba(many_x).shape == (400, 4)
assert f1_score(many_y, labels.predict(many_x), average="micro") > 0.8
assert of_digit.shape == (597, 10) and of_even.shape == (597, 2)
answers = two.predict(digits[1200:])
assert np.mean(answers[:, 0].astype(int) == digit[1200:]) > 0.85
assert set(answers[:, 1]) == {"odd", "even"}
assert both.predict(digits).shape == (1797, 2)
assert one_each.score(digits[600:], digit[600:]) > 0.8
assert all((k.predict(x_test) == early.predict(x_test)).all() for k in kept)
assert clone(early).get_params() == early.get_params()
