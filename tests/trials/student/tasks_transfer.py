"""Course 3, week 2: multi-task learning with missing labels, and transfer learning.

The student wants four yes/no tasks on one trunk, with the cost summed over the labels that
are there (compared with NumPy), and digits 0 to 4 transferred to 5 to 9 with few pictures.
"""

from functools import partial

import numpy as np

import fastdl
from fastdl import data, datasets, nn, optim

digits = datasets.load("digits")
x = digits.train.x[:800]
label = np.asarray(digits.train.y[:800])
tasks = np.c_[
    label % 2 == 0, label > 4, np.isin(label, (0, 6, 8, 9)), label == 1
].astype(np.float32)
tasks[np.random.RandomState(0).rand(*tasks.shape) < 0.3] = np.nan

# one cost over four outputs, "?" left out, as in the lecture
fastdl.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
logits = model(x)
loss = nn.BCEWithLogitsLoss()(logits, tasks)
p, there = 1 / (1 + np.exp(-logits.numpy().astype(float))), ~np.isnan(tasks)
losses = -(tasks * np.log(p) + (1 - tasks) * np.log(1 - p))
assert np.isclose(loss.item(), losses[there].mean())  # the course: the sum, / m
trainer = fastdl.Trainer(model, nn.BCEWithLogitsLoss(), partial(optim.Adam, lr=0.01))
trainer.fit(x, tasks, epochs=15)
answers = trainer.predict(x) > 0
assert (answers == tasks)[there].mean() > 0.95


def part(source, low, count=None):
    rows = np.flatnonzero((source.y >= low) & (source.y < low + 5))[:count]
    return data.ArrayDataset(source.x[rows], source.y[rows] - low)


def fresh():
    fastdl.manual_seed(1)
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(1, 8, 3, padding="same"),
            "relu1": nn.ReLU(),
            "conv2": nn.Conv2d(8, 16, 3, padding="same"),
            "relu2": nn.ReLU(),
            "pool": nn.MaxPool2d(2),
            "flat": nn.Flatten(),
            "fc": nn.Linear(256, 5),
        }
    )


model = fresh()
fastdl.Trainer(model).fit(part(digits.train, 0), epochs=8)
few, test = part(digits.train, 5, 40), part(digits.test, 5)
first = model["conv1"].weight.data.copy()
model.replace_head(5).freeze(until="fc")
fastdl.Trainer(model).fit(few, epochs=30, batch_size=8)
assert np.array_equal(first, model["conv1"].weight.data)
model.unfreeze()
groups = optim.depth_groups(model, lr=0.001, layer_decay=0.5)
fastdl.Trainer(model, optimizer=optim.Adam(groups)).fit(few, epochs=20, batch_size=8)
transferred = fastdl.Trainer(model).evaluate(test)
scratch = fastdl.Trainer(fresh())
scratch.fit(few, epochs=50, batch_size=8)
assert scratch.evaluate(test)["accuracy"] > 0.8
assert transferred["accuracy"] > 0.8
assert not np.array_equal(first, model["conv1"].weight.data)
