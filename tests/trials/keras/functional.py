"""A Keras user's third script: Model(inputs=[...], outputs=[...]).

He wanted two inputs, a shared trunk, two outputs with losses, weights and metrics of
their own, fit with dicts, and one picture of the graph.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

import fastdl
from fastdl import datasets, nn, optim, report
from fastdl import functional as F


@nn.register  # so that it can be saved
class TwoByTwo(nn.Module):
    """A picture and a row of numbers in; the digit and its size out."""

    def __init__(self, width=32):
        self.width = width
        self.look = nn.Sequential(nn.Flatten(), nn.Linear(None, width), nn.ReLU())
        self.read = nn.Sequential(nn.Linear(None, 8), nn.ReLU())
        self.digit = nn.Linear(None, 10)
        self.ink = nn.Linear(None, 1)

    def forward(self, picture, table):
        both = F.concatenate([self.look(picture), self.read(table)], axis=1)
        return {"digit": self.digit(both), "ink": self.ink(both)}


fastdl.manual_seed(0)
digits = datasets.load("digits")


def inputs_and_targets(part, count):
    picture, label = part.x[:count], part.y[:count]
    rows = picture.mean(axis=2).reshape(count, -1)  # (m, 8)
    ink = picture.mean(axis=(1, 2, 3))[:, np.newaxis] * 10
    return {"picture": picture, "table": rows}, {"digit": label, "ink": ink}


x, y = inputs_and_targets(digits.train, 2000)
x_test, y_test = inputs_and_targets(digits.test, 1000)

trainer = fastdl.Trainer(
    TwoByTwo(),
    loss={"digit": nn.CrossEntropyLoss(), "ink": nn.MSELoss()},
    loss_weights={"digit": 1.0, "ink": 0.5},
    metrics={"digit": ["accuracy"], "ink": ["mean_absolute_error"]},
    optimizer=partial(optim.Adam, lr=0.003),
)
history = trainer.fit(x, y, epochs=8, validation_data=(x_test, y_test), verbose=0)
result = trainer.evaluate(x_test, y_test)
output = trainer.predict(x_test)
print(trainer.model.summary({"picture": (8, 8, 1), "table": (8,)}))
print(result)

# The same by position: a tuple, not a list.
by_position = trainer.predict((x_test["picture"], x_test["table"]))

folder = Path(tempfile.mkdtemp())
(folder / "model.svg").write_text(report.diagram(trainer.model), encoding="utf-8")
trainer.save(folder / "two.safetensors")
again = fastdl.Trainer(fastdl.load(folder / "two.safetensors")).predict(x_test)

assert result["digit_accuracy"] > 0.9, result
assert result["ink_mean_absolute_error"] < 0.3, result
assert output["digit"].shape == (1000, 10) and output["ink"].shape == (1000, 1)
assert (by_position["digit"] == output["digit"]).all()
assert (again["ink"] == output["ink"]).all()
assert history["val_digit_accuracy"][-1] == result["digit_accuracy"]
assert "<svg" in (folder / "model.svg").read_text(encoding="utf-8")
