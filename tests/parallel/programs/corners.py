"""Corners, checked on each rank; keep what several tasks measure for a comparison."""

import signal
import sys

import numpy as np
import pytest

import fastdl
from fastdl import data, nn, optim, parallel, train
from fastdl.errors import NonFiniteError

ranks = parallel.start()
rng = np.random.default_rng(0)


def parts_of_a_model_that_not_all_ranks_use():
    """A gradient that one rank has is on all ranks; one that none has stays None."""
    layers = nn.ModuleList([nn.Linear(2, 1, bias=False) for _ in range(3)])
    ranks.share(layers, optim.SGD(layers.parameters(), lr=0.1))
    own = layers[0 if ranks.is_first else 1]
    ranks.backward(own(np.ones((2, 2), np.float32)).sum())
    expected = [1 / ranks.size, (ranks.size - 1) / ranks.size]
    for layer, share in zip(layers[:2], expected, strict=True):
        if ranks.size > 1:
            np.testing.assert_allclose(layer.weight.grad, 2 * share, rtol=1e-6)
    assert layers[2].weight.grad is None


def fewer_examples_than_ranks():
    """A batch of one: the others count for nothing, and are no rows."""
    loader = data.DataLoader((np.full((1, 3), 5.0), np.array([7])), 4)
    for x, y in ranks.batches(loader):
        assert ranks.has_examples == ranks.is_first
        assert x.shape == (1, 3)
        np.testing.assert_array_equal(ranks.rows((x, y))[1], [7])


def decisions_of_the_first_rank():
    """A callback of the first rank stops all, and sets the rate of all."""

    class Decides(train.Callback):
        first_rank_only = True

        def on_epoch_end(self, trainer, row):
            optim.set_rate(trainer.optimizer, 0.25)
            trainer.stop()

    model = nn.Linear(3, 1)
    trainer = fastdl.Trainer(model, nn.MSELoss(), optim.SGD, ranks=ranks)
    x = rng.random((8, 3), np.float32)
    trainer.fit(x, x[:, :1], epochs=3, callbacks=[Decides()], progress=False)
    assert len(trainer.history) == 1
    assert trainer.optimizer.param_groups[0]["lr"] == 0.25


def batch_norm_of_each_rank():
    """The running statistics are averaged, so that all ranks measure the same."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    trainer = fastdl.Trainer(model, nn.MSELoss(), ranks=ranks)
    x = rng.random((16, 3), np.float32)
    ranks.sync_batch_norm = False
    trainer.fit(x, x[:, :1], batch_size=8, progress=False)
    ranks.sync_batch_norm = True
    ranks.check(model, trainer.optimizer)


def a_signal_to_one_rank(path):
    """All end after the same step, and go on with the bits of no interruption."""

    class Signal(train.Callback):
        def decides(self):
            return None

        def on_batch_end(self, trainer, step):
            if (step.epoch, step.batch) == (2, 2) and ranks.rank == ranks.size - 1:
                signal.raise_signal(signal.SIGTERM)

    def fit(seed, *callbacks, **options):
        fastdl.manual_seed(seed)
        layers = [nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1)]
        trainer = fastdl.Trainer(nn.Sequential(*layers), nn.MSELoss(), ranks=ranks)
        usual = {"epochs": 3, "batch_size": 8, "progress": False}
        trainer.fit(x, x[:, :1], callbacks=callbacks, **usual, **options)
        rows = [{**row, **dict.fromkeys(times)} for row in trainer.history.rows]
        return trainer.model.state_dict(), rows

    x, times = rng.random((24, 3), np.float32), ("seconds", "examples_per_second")
    for ranks.sync_batch_norm in (False, True):
        with pytest.raises(SystemExit, match="in epoch 2, after 2 of 3 batches"):
            fit(0, Signal(), checkpoint=path)
        np.testing.assert_equal(fit(1, checkpoint=path, resume=True), fit(0))


def the_cause_of_a_bad_loss():
    """It is found on the rank that has it, and told by all."""
    x = np.ones((8, 3), np.float32)
    x[-1, 1] = np.nan  # in the part of the last rank
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    trainer = fastdl.Trainer(model, nn.MSELoss(), ranks=ranks)
    options = {"batch_size": 8, "shuffle": False, "check_finite": False}
    with pytest.raises(NonFiniteError, match="the batch x itself is not finite"):
        trainer.fit(x, np.ones((8, 1)), progress=False, **options)


def several_tasks(path):
    """Each loss is a mean over its labels, wherever these are."""
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh())
    model.build((4,))
    model.astype(np.float64)

    class Heads(nn.Module):
        def __init__(self):
            self.body = model
            self.one = nn.Linear(5, 3).astype(np.float64)
            self.two = nn.Linear(5, 1).astype(np.float64)

        def forward(self, x):
            h = self.body(x)
            return {"one": self.one(h), "two": self.two(h)}

    x = rng.random((45, 4))
    y = {"one": rng.integers(0, 3, 45).astype(float), "two": x[:, :1] ** 2}
    y["one"][rng.random(45) < 0.4] = np.nan
    y["two"][rng.random(45) < 0.7] = np.nan
    trainer = fastdl.Trainer(
        Heads(),
        {"one": nn.CrossEntropyLoss(), "two": nn.MSELoss()},
        lambda parameters: optim.SGD(parameters, lr=0.1),
        loss_weights={"two": 3.0},
        regularization=nn.L2(0.01),
        metrics={"one": ["accuracy"]},
        ranks=ranks,
    )
    trainer.fit(x, y, epochs=5, batch_size=8, validation=(x, y), progress=False)
    if ranks.is_first:
        rows = trainer.history.rows
        times = ("seconds", "examples_per_second")
        np.savez(path, **{n: [r[n] for r in rows] for n in rows[0] if n not in times})


parts_of_a_model_that_not_all_ranks_use()
fewer_examples_than_ranks()
decisions_of_the_first_rank()
batch_norm_of_each_rank()
a_signal_to_one_rank(f"{sys.argv[1]}.checkpoint")
the_cause_of_a_bad_loss()
several_tasks(sys.argv[1])
