"""Course 2, week 3: hyperparameters at random and on a log scale.

The student wants r = -4 * rand, alpha = 10**r, and beta = 1 - 10**r, to see that the draws
fall evenly on the decades, and then a small search that finds a good rate.
"""

import tempfile

import numpy as np

import fastdl
from fastdl import data, datasets, models, optim, report, tune

log, beta = tune.Log(1e-4, 1), tune.OneMinusLog(0.9, 0.999)
r = np.random.RandomState(0).rand(1000)
assert np.allclose([log.value(u) for u in r], 10 ** (-4 + 4 * r))
assert np.allclose([beta.value(u) for u in (0, 0.5, 1)], [0.9, 0.99, 0.999])

digits = datasets.load("digits")
train, dev, _ = data.split(digits.train, (600, 300, -1), seed=0, stratify=True)


def objective(trial):
    fastdl.manual_seed(0)
    model = models.create("mlp", hidden=(32,))
    lr, b = trial["lr"], trial["beta"]
    trainer = fastdl.Trainer(
        model, optimizer=lambda p: optim.SGD(p, lr=lr, momentum=b, dampening=b)
    )
    trainer.fit(train, epochs=4, validation=dev, callbacks=[trial.callback()])
    return trainer.history["val_accuracy"][-1]


space = {"lr": log, "beta": beta}
result = tune.search(objective, space, trials=12, seed=1)
rates = [t.params["lr"] for t in result.trials]
decades = np.histogram(np.log10(rates), bins=[-4, -3, -2, -1, 0])[0]
assert decades.sum() == 12 and (decades > 0).all()
assert result.best.params["lr"] > 0.01
grid = tune.search(
    lambda t: -np.log10(t["lr"]),
    {"lr": tune.Choice(0.1, 0.01)},
    method="grid",
    mode="min",
)
assert len(grid.trials) == 2 and grid.best.params["lr"] == 0.1
with tempfile.TemporaryDirectory() as folder:
    figure = report.search_slices(result)
    report.save_figure(figure, folder + "/slices.png")
