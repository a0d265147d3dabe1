"""A pandas user's script: tables straight into Trainer, without a pipeline.

He wanted DataFrames, Series, nullable columns, lists and boolean columns in fit,
evaluate and predict, and found out what must be converted before.
"""

from functools import partial

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import fastdl
from fastdl import data, nn, optim

bunch = load_breast_cancer(as_frame=True)
frame, target = bunch.data, bunch.target  # a DataFrame and a Series
frame = (frame - frame.mean()) / frame.std()
x_train, x_test, y_train, y_test = train_test_split(
    frame, target, random_state=0, stratify=target
)


def trainer(outputs=2):
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Linear(None, 16), nn.ReLU(), nn.Linear(None, outputs))
    return fastdl.Trainer(model, optimizer=partial(optim.Adam, lr=0.003))


def accuracy(x, y, x_new=x_test, y_new=y_test, **options):
    t = trainer()
    t.fit(x, y, epochs=6, **options)
    return t.evaluate(x_new, y_new)["accuracy"]


of_frames = accuracy(x_train, y_train)
of_arrays = accuracy(x_train.to_numpy(), y_train.to_numpy())
of_lists = accuracy(x_train.to_numpy().tolist(), list(y_train))
nullable = accuracy(x_train, y_train.astype("Int64"))

# What fit refuses, and the line that helps.
booleans = accuracy(x_train, y_train.astype(bool).astype(np.int64))
text = y_train.map({0: "malignant", 1: "benign"})
codes, names = pd.factorize(text, sort=True)  # or np.unique(..., return_inverse=True)
strings = accuracy(x_train, codes, x_test, (y_test == 0).astype(int))
mixed = x_train.assign(big=x_train["mean area"] > 0, kind="a").astype(
    {"kind": "category"}
)
mixed_test = x_test.assign(big=x_test["mean area"] > 0, kind="a")
mixed_test = mixed_test.astype({"kind": "category"})
dummies = accuracy(
    pd.get_dummies(mixed).astype("float32"),
    y_train,
    pd.get_dummies(mixed_test).astype("float32"),
)
floats = accuracy(x_train.astype("Float64").astype("float64"), y_train)

# A part of a table to measure on, weights as Series, classes balanced.
weight = pd.Series(1.0, index=y_train.index)
t = trainer()
history = t.fit(
    x_train,
    y_train,
    epochs=3,
    validation_split=0.2,
    sample_weight=weight,
    class_weight="balanced",
)
train, dev = data.split((x_train, y_train), (0.8, 0.2), stratify=True)
t.fit(train, epochs=1, validation=dev)
logits = t.predict(x_test)
table = pd.DataFrame(
    t.predict(x_test, probabilities=True), index=x_test.index, columns=["m", "b"]
)
curves = pd.DataFrame(dict(history)).set_index("epoch")  # not DataFrame(history)
print(of_frames, of_lists, nullable, strings, dummies)
print(curves[["loss", "val_loss"]])

assert of_frames == of_arrays == of_lists == nullable == booleans == floats
assert of_frames > 0.9 and strings > 0.9 and dummies > 0.9
assert list(names) == ["benign", "malignant"]
assert logits.shape == (143, 2) and isinstance(logits, np.ndarray)
assert np.allclose(table.sum(axis=1), 1, atol=1e-5)
assert (table.to_numpy().argmax(1) == logits.argmax(1)).all()
assert len(train) + len(dev) == len(x_train) and len(curves) == 4
