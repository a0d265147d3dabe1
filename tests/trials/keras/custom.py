"""A Keras user's fifth script: everything of his own.

He wanted a custom layer, a custom loss, a custom metric with state, a function as a
metric, and a custom callback that stops the training.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import metrics, nn, optim, train


@nn.register
class Scale(nn.Module):
    """A factor and a shift for each feature (no build, no add_weight, no call)."""

    def __init__(self, features):
        self.features = features
        self.factor = nn.Parameter(np.ones(features, np.float32))
        self.shift = nn.Parameter(np.zeros(features, np.float32))

    def forward(self, x):
        return x * self.factor + self.shift


def pinball(outputs, y):  # the outputs come first: not (y_true, y_pred)
    error = y - outputs
    return F.maximum(0.9 * error, -0.1 * error).mean()


def mean_error(y_true, y_pred):  # here the labels come first, as in Keras
    return float(np.mean(y_true - y_pred))


class Worst(metrics.Metric):
    """The largest error: reset, update, merge, result."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.error = 0.0

    def update(self, y_true, y_pred):
        self.error = max(self.error, float(np.abs(y_true - y_pred).max()))

    def merge(self, other):
        self.error = max(self.error, other.error)

    def result(self):
        return self.error


class StopAt(train.Callback):
    """self.model.stop_training = True is trainer.stop() here."""

    def __init__(self, loss):
        self.loss = loss
        self.steps = 0

    def on_batch_end(self, trainer, step):
        self.steps += 1

    def on_epoch_end(self, trainer, row):
        print("epoch", row["epoch"], "loss", row["loss"])
        if row["loss"] < self.loss:
            trainer.stop()


fastdl.manual_seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(800, 4)).astype("float32")
y = (2 * x[:, :1] - x[:, 1:2] + rng.normal(size=(800, 1))).astype("float32")

model = nn.Sequential(Scale(4), nn.Linear(None, 16), nn.ReLU(), nn.Linear(None, 1))
trainer = fastdl.Trainer(
    model, pinball, partial(optim.Adam, lr=0.01), [mean_error, Worst()]
)
stop = StopAt(0.19)
history = trainer.fit(x, y, epochs=40, callbacks=[stop], verbose=0)
below = float(np.mean(y < trainer.predict(x)))
print(len(history["loss"]), below, trainer.evaluate(x, y))

path = Path(tempfile.mkdtemp()) / "model.safetensors"
trainer.save(path)
again = fastdl.Trainer(fastdl.load(path), pinball)

assert 0.8 < below < 0.96, below  # the loss asks for the 90 % quantile
assert len(history["loss"]) < 40 and history["loss"][-1] < 0.19
assert stop.steps == 25 * len(history["loss"])
assert np.abs(model[0].factor.data - 1).max() > 0.01  # the layer learned
worst = [name for name in history if name.lower() == "worst"]
assert len(worst) == 1 and history[worst[0]][-1] > 1
assert (again.predict(x) == trainer.predict(x)).all()
