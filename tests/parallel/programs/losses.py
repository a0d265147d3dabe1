"""Train with everything that depends on the whole batch; keep the losses.

Arguments: the real type, the file for the losses of the steps, the measures of the
epochs and the weights.
"""

import sys

import numpy as np

import fastdl
from fastdl import data, nn, optim, parallel, train

dtype, path = sys.argv[1:]


class Losses(train.Callback):
    """Keep the loss of each step."""

    def __init__(self):
        self.steps = []

    def on_batch_end(self, trainer, step):
        """Note it."""
        self.steps.append((step.loss, step.examples))


ranks = parallel.start()
fastdl.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1, bias=False),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Dropout2d(0.1),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.DropPath(0.1),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(256, 10),
)
model.build((8, 8, 1))
model.astype(dtype)

digits = fastdl.datasets.load("digits")
x, y = digits.train.take(np.arange(649))
weight = np.random.default_rng(0).random(649)
loader = data.DataLoader(
    (x, y, weight),
    32,  # the last batch of an epoch has 9 examples, of 2 epochs' 5 ranks one has 1
    shuffle=True,
    seed=1,
    transform=[data.Augment(flip=0.5, translate=1), data.Mixup(0.2, 10)],
)
losses = Losses()
trainer = train.Trainer(
    model,
    nn.CrossEntropyLoss(label_smoothing=0.1),
    lambda parameters: optim.SGD(
        optim.decay_groups(model, 1e-4), lr=0.05, momentum=0.9
    ),
    metrics=["accuracy", "f1"],
    regularization=nn.L2(1e-3),
    clip_norm=1.0,
    ranks=ranks,
)
trainer.fit(
    loader,
    epochs=5,
    validation=data.Subset(digits.test, np.arange(101)),
    callbacks=[losses],
    progress=False,
)
if ranks.is_first:
    rows = trainer.history.rows
    measures = {
        name: [row[name] for row in rows]
        for name in ("loss", "val_loss", "val_accuracy", "val_f1")
    }
    weights = {f"model.{n}": a for n, a in model.state_dict().items()}
    np.savez(path, steps=losses.steps, **measures, **weights)
