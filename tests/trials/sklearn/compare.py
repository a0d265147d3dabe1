"""A scikit-learn user's last script: an honest comparison on a table.

He wanted train, dev and test sets, every choice made on dev, one look at test, with a
confusion matrix, a report and the same answers from fastdl's own metrics.
"""

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, confusion_matrix, log_loss
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdl import metrics
from fastdl.sklearn import FastClassifier

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
rest, x_test, y_rest, y_test = train_test_split(
    x, y, test_size=400, stratify=y, random_state=0
)
x_train, x_dev, y_train, y_dev = train_test_split(
    rest, y_rest, test_size=300, stratify=y_rest, random_state=0
)

models = {
    "dummy": DummyClassifier(),
    "linear": LogisticRegression(max_iter=300),
    "forest": RandomForestClassifier(30, random_state=0),
    "mlp": MLPClassifier(max_iter=40, early_stopping=True, random_state=0),
    "fast": FastClassifier(early_stopping=True, random_state=0),
    "fast deep": FastClassifier(
        model_options={"hidden": (128, 64), "dropout": 0.2},
        early_stopping=True,
        random_state=0,
    ),
}
dev = {name: m.fit(x_train, y_train).score(x_dev, y_dev) for name, m in models.items()}
print({name: round(float(score), 3) for name, score in dev.items()})

fast = max(("fast", "fast deep"), key=dev.get)
chosen = models[fast]
predicted = chosen.predict(x_test)
probabilities = chosen.predict_proba(x_test)
accuracy = chosen.score(x_test, y_test)
print(classification_report(y_test, predicted))
print(confusion_matrix(y_test, predicted))

# A small table: five folds, since one split says little about 178 wines.
wine, cultivar = load_wine(return_X_y=True)
folds = {
    name: cross_val_score(make_pipeline(StandardScaler(), m), wine, cultivar, cv=5)
    for name, m in {
        "linear": LogisticRegression(),
        "fast": FastClassifier(max_iter=40, random_state=0),
    }.items()
}

assert dev[fast] > 0.93 and dev[fast] > dev["dummy"] + 0.7
assert dev[fast] > dev["mlp"] - 0.03 and dev[fast] > dev["linear"] - 0.01
assert abs(accuracy - dev[fast]) < 0.05
assert log_loss(y_test, probabilities) < 0.25
assert (
    metrics.confusion_matrix(y_test, predicted) == confusion_matrix(y_test, predicted)
).all()
assert np.isclose(metrics.accuracy(y_test, predicted), accuracy)
assert np.isclose(metrics.accuracy(y_test, probabilities), accuracy)
assert folds["fast"].mean() > 0.93, folds
