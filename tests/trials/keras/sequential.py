"""A Keras user's first script: a classifier of digits with all the usual trimmings.

He wanted Sequential, compile, fit with validation_split, class_weight and callbacks,
the history as curves, evaluate, predict, argmax, save and load.
"""

import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import fastdl
from fastdl import datasets, nn, train

fastdl.manual_seed(0)  # keras.utils.set_random_seed(0)
digits = datasets.load("digits")
x_train, y_train = digits.train.x, digits.train.y  # no (x, y), (x, y) = load_data()
x_test, y_test = digits.test.x, digits.test.y
folder = Path(tempfile.mkdtemp())

model = nn.Sequential(
    nn.Flatten(),
    nn.Linear(None, 64),  # Dense(64, activation="relu")
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(None, 10),  # no softmax
)
model.build((8, 8, 1))  # not (None, 8, 8, 1)
print(model.summary())

# model.compile(...)
trainer = fastdl.Trainer(
    model, "sparse_categorical_crossentropy", "adam", ["accuracy"], lr=0.002
)
history = trainer.fit(
    x_train,
    y_train,
    epochs=15,
    batch_size=32,
    validation_split=0.1,
    class_weight={c: 1.0 for c in range(10)},
    callbacks=[
        train.EarlyStopping(monitor="val_accuracy", patience=4),  # restores the best
        train.ModelCheckpoint(folder / "best.safetensors", monitor="val_loss"),
        train.ReduceOnPlateau(monitor="val_loss", factor=0.5, patience=2),
        train.TensorBoardLog(folder / "logs"),
        train.CSVLog(folder / "log.csv"),
    ],
    verbose=2,
)

plt.plot(history["epoch"], history["loss"], label="train")  # not history.history
plt.plot(history["epoch"], history["val_loss"], label="validation")
plt.legend()
plt.savefig(folder / "curves.png")

result = trainer.evaluate(x_test, y_test)  # a dict: not loss, accuracy = ...
probabilities = trainer.predict(x_test, probabilities=True)
predicted = np.argmax(probabilities, axis=1)

trainer.save(folder / "model.safetensors")
again = fastdl.Trainer(fastdl.load(folder / "model.safetensors"))  # to use its verbs

assert result["accuracy"] > 0.93, result
assert np.isclose((predicted == y_test).mean(), result["accuracy"])
assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
assert (again.predict(x_test).argmax(axis=1) == predicted).all()
assert len(history["val_accuracy"]) == len(history["loss"]) <= 15
assert {"curves.png", "best.safetensors", "log.csv"} <= {
    p.name for p in folder.iterdir()
}
