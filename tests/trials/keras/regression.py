"""A Keras user's second script: two tables, one of numbers, one of yes and no.

He wanted Dense(1) with "mse" and "mae" and a Series as y, and Dense(1) with
"binary_crossentropy" and "accuracy", on DataFrames as they come from scikit-learn.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split

import fastdl
from fastdl import metrics, nn, train


def network():
    return nn.Sequential(nn.Linear(None, 32), nn.ReLU(), nn.Linear(None, 1))


fastdl.manual_seed(0)
table = load_diabetes(as_frame=True)
x_train, x_test, y_train, y_test = train_test_split(
    table.data, table.target, random_state=0
)
centre, scale = y_train.mean(), y_train.std()
x_mean, x_std = x_train.mean(), x_train.std()
x_train, x_test = (x_train - x_mean) / x_std, (x_test - x_mean) / x_std


def target(y):
    return ((y - centre) / scale).to_frame()  # (m, 1), as the output


trainer = fastdl.Trainer(network(), "mse", "adam", ["mae", "r2_score"], lr=0.003)
history = trainer.fit(
    x_train,
    target(y_train),
    epochs=60,
    validation_split=0.15,
    callbacks=[train.EarlyStopping(monitor="val_loss", patience=8)],
    verbose=0,
)
result = trainer.evaluate(x_test, target(y_test))
predicted = trainer.predict(x_test).ravel() * scale + centre
error = np.abs(predicted - y_test).mean()
print(result, error)

# Yes or no: one unit, the sigmoid in the loss.
bunch = load_breast_cancer(as_frame=True)
x = (bunch.data - bunch.data.mean()) / bunch.data.std()
x_a, x_b, y_a, y_b = train_test_split(
    x, bunch.target, random_state=0, stratify=bunch.target
)


# "binary_crossentropy" would be of a model that ends with nn.Sigmoid().
binary = fastdl.Trainer(
    network(), nn.BCEWithLogitsLoss(), "adam", ["accuracy"], lr=0.003
)
binary.fit(x_a, y_a.to_frame(), epochs=15, class_weight="balanced")
scores = binary.evaluate(x_b, y_b.to_frame())
probability = binary.predict(x_b, probabilities=True)  # (m, 1)
print(scores, metrics.roc_auc(y_b, probability[:, 0]))

assert result["r2_score"] > 0.2, result
assert np.isclose(error, result["mae"] * scale, rtol=1e-3)
assert error < 50, error
assert len(history["val_mae"]) == len(history["loss"])
assert probability.shape == (len(y_b), 1)
assert ((probability > 0) & (probability < 1)).all()
assert scores["accuracy"] > 0.93, scores
assert metrics.roc_auc(y_b, probability[:, 0]) > 0.98
