"""A Keras user's sixth script: transfer learning.

He wanted a trained base without its top, frozen (base.trainable = False), a new head,
then to unfreeze it and fine-tune with a tenth of the rate.
"""

from functools import partial

import numpy as np

import fastdl
from fastdl import data, datasets, nn, optim

fastdl.manual_seed(0)
digits = datasets.load("digits")


def some(part, low):
    rows = np.flatnonzero((part.y >= low) & (part.y < low + 5))
    return data.ArrayDataset(part.x[rows], part.y[rows] - low)


# The base learns 0 to 4; with Keras it would come from keras.applications.
first = nn.Sequential(
    nn.Conv2d(None, 16, 3, padding="same"),
    nn.BatchNorm2d(None),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(None, 32, 3, padding="same"),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(None, 5),
)
trained = fastdl.Trainer(first, optimizer=optim.Adam)
trained.fit(some(digits.train, 0), epochs=4)

base = first[:-1]  # include_top=False
base.freeze()  # not base.trainable = False
model = nn.Sequential(base, nn.Dropout(0.2), nn.Linear(None, 5))
few, _ = data.split(some(digits.train, 5), (150, -1), seed=0, stratify=True)
dev = some(digits.test, 5)

before = {name: value.copy() for name, value in base.state_dict().items()}
head = fastdl.Trainer(model, optimizer=partial(optim.Adam, lr=0.003))
head.fit(few, epochs=15, validation=dev)
frozen = head.evaluate(dev)["accuracy"]
after = base.state_dict()
assert all((after[name] == before[name]).all() for name in before)
summary = model.summary()

base.unfreeze()
fine = fastdl.Trainer(model, optimizer=partial(optim.Adam, lr=0.0003))  # compile again
fine.fit(few, epochs=15, validation=dev)
tuned = fine.evaluate(dev)["accuracy"]
print(summary)
print(f"frozen {frozen:.3f}, fine-tuned {tuned:.3f}")

assert "trainable" in summary
assert any((base.state_dict()[name] != before[name]).any() for name in before)
assert frozen > 0.8, frozen
assert tuned >= frozen - 0.01, (tuned, frozen)
