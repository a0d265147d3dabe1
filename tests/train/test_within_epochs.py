"""S15, S23: a training goes on in the middle of an epoch, with the same bits."""

import json
import signal
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import metrics, nn, optim, random, train
from fastdl.data import DataLoader, MapDataset, uniform
from fastdl.errors import ArgumentError, DataError
from fastdl.files import read_tensors, write_tensors
from fastdl.train import Callback, Trainer, rhythm
from tests.train.test_checkpoint import same

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 2)).astype(np.float32)
Y = np.arange(22) % 2
KEY = "fastdl.checkpoint"


class Stop(Callback):
    """Ctrl-C after a batch of an epoch."""

    def __init__(self, epoch, batch):
        self.place = epoch, batch

    def decides(self):
        return None

    def on_batch_end(self, trainer, step):
        if (step.epoch, step.batch) == self.place:
            signal.raise_signal(signal.SIGINT)


def trainer(seed=0, **options):
    fastdl.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )
    return Trainer(model, **{"optimizer": partial(optim.Adam, lr=0.02)} | options)


def noise(x, y, seeds):
    return x + uniform(seeds, x.shape[1]).astype(np.float32), y


def several(rng):
    """Return the indices of six batches."""
    return np.split(rng.permutation(22)[:18], 6)


LOADERS = {
    "shuffled": {"shuffle": True},
    "without the rest": {"shuffle": True, "drop_last": True},
    "a sampler": {"sampler": list(range(21, -1, -1))},
    "a random sampler": {"sampler": lambda rng: rng.integers(0, 22, 30)},
    "batches": {"batch_size": 32, "batch_sampler": several},
    "augmented": {"shuffle": True, "transform": noise},
    "workers": {"shuffle": True, "transform": noise, "workers": 3},
    "on demand": {"shuffle": True, "transform": noise, "prefetch": 0},
}


def interrupted(path, fit, place, resumed=None, **options):
    """Return a training that was interrupted there and resumed."""
    kept = {"checkpoint": path}
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(trainer(**options), callbacks=[Stop(*place)], **kept)
    assert f"in epoch {place[0]}, after {place[1]} of" in str(caught.value)
    return (resumed or fit)(trainer(seed=1, **options), resume=True, **kept)


@pytest.mark.parametrize("batch", [1, 3, "last"])
@pytest.mark.parametrize("name", LOADERS)
def test_every_loader(tmp_path, name, batch):
    def fit(one, **options):
        loader = DataLoader((X, Y), **{"batch_size": 4, "seed": 3} | LOADERS[name])
        one.fit(loader, epochs=3, validation=(X, Y), **options)
        return one

    loader = DataLoader((X, Y), **{"batch_size": 4} | LOADERS[name])
    place = 2, len(loader) if batch == "last" else batch
    same(interrupted(tmp_path / "c", fit, place), fit(trainer()))


class Dropping(nn.Module):
    """Draws a new seed for each mask."""

    def __init__(self):
        self.body = nn.Linear(2, 2)

    def forward(self, x):
        return self.body(F.dropout(x, 0.3, self.training))


@pytest.mark.parametrize("place", [(1, 2), (2, 6)])
def test_random_numbers_beside_those_of_layers(tmp_path, place):
    """Also of callbacks; and after an error they are as if there had been no resume."""

    class Noise(Callback):
        def on_epoch_begin(self, trainer, epoch):
            trainer.model.body.bias.data[...] += random.generator().random(2)

    def fit(seed, callbacks=(), **options):
        fastdl.manual_seed(seed)
        one = Trainer(Dropping())
        callbacks = [Noise(), *callbacks]
        one.fit(X, Y, batch_size=4, epochs=3, callbacks=callbacks, **options)
        return one

    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        fit(0, [Stop(*place)], checkpoint=path)
    resumed, after = fit(1, checkpoint=path, resume=True), random.new_seed()
    same(resumed, fit(0))
    assert after == random.new_seed()


class Counted:
    def __init__(self):
        self.read = []

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        self.read.append(int(index))
        return X[index], Y[index]


def test_what_was_trained_on_is_not_read_again(tmp_path):
    reads = []

    def fit(one, **options):
        items = Counted()
        loader = DataLoader(MapDataset(items), 4, shuffle=True, prefetch=0)

        class Begin(Callback):
            def decides(self):
                return None

            def on_epoch_begin(self, trainer, epoch):
                items.read.clear()

        callbacks = [*options.pop("callbacks", []), Begin()]
        one.fit(loader, epochs=1, callbacks=callbacks, check_finite=False, **options)
        reads.append(items.read)

    interrupted(tmp_path / "c", fit, (1, 4))
    order = np.random.default_rng(np.random.SeedSequence((0, 0))).permutation(22)
    assert reads == [order[16:].tolist()]


class Worst(metrics.Metric):
    """A metric of a user, which keeps much."""

    name = "worst"

    def __init__(self):
        self.reset()

    def reset(self):
        self.error, self.seen, self.by_label = None, [], {"labels": set()}

    def update(self, y_true, y_pred):
        self.error = np.float32(max(self.error or 0, np.abs(y_pred).max()))
        self.seen.append((y_pred.sum(axis=0), len(y_true)))
        self.by_label["labels"] |= set(y_true.tolist())

    def merge(self, other):
        raise NotImplementedError

    def result(self):
        known = sum(float(s.sum()) * n for s, n in self.seen)
        return float(self.error) + known + len(self.by_label["labels"])


class Random(Worst):
    """One that no file can hold."""

    def reset(self):
        super().reset()
        self.rng = np.random.default_rng(0)


METRICS = {
    "classes": ["accuracy", "f1", "roc_auc", "average_precision"],
    "functions": [lambda y, outputs: float(outputs[:, 0].mean())],
    "a user's": [Worst()],
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric(tmp_path, name):
    def fit(one, **options):
        one.fit(X, Y, batch_size=4, epochs=3, **options)
        return one

    own = {"metrics": METRICS[name]}
    same(interrupted(tmp_path / "c", fit, (2, 3), **own), fit(trainer(**own)))


def test_targets_and_tasks(tmp_path):
    """Each task has its own means; NaN is a missing label."""
    y = {"even": Y.astype(np.float32), "sum": X.sum(axis=1, keepdims=True)}
    y["even"][::3] = np.nan

    class Two(nn.Module):
        def __init__(self):
            self.even, self.sum = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x):
            return {"even": self.even(x)[:, 0], "sum": self.sum(x)}

    def made(seed):
        fastdl.manual_seed(seed)
        losses = {"even": nn.BCEWithLogitsLoss(), "sum": nn.MSELoss()}
        own = {"even": ["accuracy"], "sum": ["mae", "r2"]}
        return Trainer(Two(), losses, metrics=own, loss_weights="uncertainty")

    def fit(one, **options):
        one.fit(X, y, batch_size=4, epochs=3, **options)
        return one

    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        fit(made(0), callbacks=[Stop(2, 3)], checkpoint=path)
    same(fit(made(1), checkpoint=path, resume=True), fit(made(0)))


def test_a_metric_that_no_file_can_hold(tmp_path):
    """Then the last whole epoch is kept."""
    path = tmp_path / "c"

    def fit(one, **options):
        one.fit(X, Y, batch_size=4, epochs=3, **options)
        return one

    own = {"metrics": [Random()]}
    options = {"checkpoint": path, "checkpoint_steps": 2}
    with (
        pytest.warns(UserWarning, match="a metric keeps a Generator") as seen,
        pytest.raises(KeyboardInterrupt),
    ):
        fit(trainer(**own), callbacks=[Stop(2, 4)], **options)
    assert len(seen) == 1
    with pytest.warns(UserWarning, match="a metric keeps a Generator"):
        resumed = fit(trainer(seed=1, **own), resume=True, **options)
    same(resumed, fit(trainer(**own)))


# What callbacks do --------------------------------------------------------------------


def test_a_callback_that_acts_at_the_beginning_of_epochs_does_so_once(tmp_path):
    class Lower(Callback):
        def on_epoch_begin(self, trainer, epoch):
            for group in trainer.optimizer.param_groups:
                group["lr"] *= 0.9

    def fit(one, callbacks=(), **options):
        callbacks = [Lower(), *callbacks]
        one.fit(X, Y, batch_size=4, epochs=3, callbacks=callbacks, **options)
        return one

    same(interrupted(tmp_path / "c", fit, (2, 3)), fit(trainer()))


def test_all_that_watch(tmp_path):
    def fit(one, callbacks=(), **options):
        watching = [
            train.LearningRateLog(),
            train.Timing(),
            train.GradientMonitor(),
            train.Schedule("cosine"),
            train.GradualUnfreezing({1: "4", 2: "0"}),
        ]
        callbacks = [*watching, *callbacks]
        one.fit(X, Y, batch_size=4, epochs=3, callbacks=callbacks, **options)
        return one

    for number, batch in enumerate((1, 6)):
        resumed = interrupted(tmp_path / str(number), fit, (2, batch))
        whole = fit(trainer())
        same(resumed, whole)
        assert "gradient_norm" in whole.history


def test_stopped_within_an_epoch(tmp_path):
    """It comes to its end, and the training with it."""

    class Enough(Callback):
        def on_batch_end(self, trainer, step):
            if (step.epoch, step.batch) == (2, 1):
                trainer.stop()

    def fit(one, callbacks=(), **options):
        callbacks = [Enough(), *callbacks]
        one.fit(X, Y, batch_size=4, epochs=9, callbacks=callbacks, **options)
        return one

    resumed = interrupted(tmp_path / "c", fit, (2, 3))
    assert len(resumed.history) == 2
    same(resumed, fit(trainer()))


# When it is written -------------------------------------------------------------------


class Written(Callback):
    """Notes after which batches there is another file."""

    def __init__(self, path):
        self.path, self.seen, self.places = path, None, []

    def decides(self):
        return None

    def look(self, place):
        found = self.path.read_bytes() if self.path.exists() else None
        if found != self.seen:
            self.seen = found
            self.places.append(place)

    def on_batch_end(self, trainer, step):
        self.look((step.epoch, step.batch - 1))

    def on_train_end(self, trainer):
        self.look("end")


def test_after_so_many_steps(tmp_path):
    written = Written(tmp_path / "c")
    options = {"checkpoint": written.path, "checkpoint_steps": 4}
    trainer().fit(X, Y, batch_size=4, epochs=2, callbacks=[written], **options)
    assert written.places == [(1, 4), (2, 0), (2, 4), "end"]


def test_after_so_many_minutes(tmp_path, monkeypatch):
    """Counted from the last one, that after an epoch included."""
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(rhythm, "monotonic", lambda: next(clock))
    written = Written(tmp_path / "c")
    trainer().fit(
        *(X, Y), batch_size=4, epochs=2, callbacks=[written], checkpoint=written.path
    )
    assert written.places == [(2, 0), "end"]
    written = Written(tmp_path / "d")
    options = {"checkpoint": written.path, "checkpoint_minutes": 5}
    trainer().fit(X, Y, batch_size=4, epochs=1, callbacks=[written], **options)
    assert written.places == [(1, 3), "end"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint_steps": 0}, "checkpoint_steps"),
        ({"checkpoint_minutes": 0}, "checkpoint_minutes must be a number above 0"),
        ({"checkpoint_minutes": "10"}, "checkpoint_minutes must be a number above 0"),
        ({"checkpoint": None, "checkpoint_steps": 1}, "is for checkpoint="),
    ],
)
def test_intervals_are_checked(tmp_path, options, message):
    with pytest.raises(fastdl.FastdlError, match=message):
        trainer().fit(X, Y, **{"checkpoint": tmp_path / "c"} | options)


# What has changed since ---------------------------------------------------------------


def test_with_other_batches_the_epoch_begins_again(tmp_path):
    def fit(one, **options):
        one.fit(X, Y, epochs=3, **options)
        return one

    first = partial(fit, batch_size=4)
    other = partial(fit, batch_size=11, allow_changes=["batch_size"])
    one = interrupted(tmp_path / "c", first, (2, 5), resumed=other)
    assert one.history["epoch"] == [1, 2, 3]
    assert one.optimizer.state_dict()["steps"][0] == 6 + 5 + 2 * 2


def test_with_other_metrics_the_loss_goes_on(tmp_path):
    def fit(one, **options):
        one.fit(X, Y, batch_size=4, epochs=2, **options)
        return one

    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        fit(trainer(), callbacks=[Stop(1, 5)], checkpoint=path)
    one = trainer(metrics=["f1"])
    fit(one, checkpoint=path, resume=True, allow_changes=["metrics"])
    whole = fit(trainer())
    assert one.history["loss"] == whole.history["loss"]
    assert len(one.history["f1"]) == 2


def test_no_more_epochs_than_are_asked_for(tmp_path):
    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(X, Y, epochs=3, callbacks=[Stop(2, 1)], checkpoint=path)
    one = trainer()
    one.fit(X, Y, epochs=1, checkpoint=path, resume=True)
    assert len(one.history) == 1
    assert one.optimizer.state_dict()["steps"][0] == 2


# Files --------------------------------------------------------------------------------


def test_a_file_of_the_version_before(tmp_path):
    """It has no position within an epoch."""
    path = tmp_path / "c"
    trainer().fit(X, Y, epochs=2, checkpoint=path)
    arrays, metadata = read_tensors(path)
    state = json.loads(metadata[KEY]) | {"format": 2}
    assert state.pop("position") is None
    write_tensors(arrays, path, {KEY: json.dumps(state)})
    one, whole = trainer(seed=1), trainer()
    one.fit(X, Y, epochs=3, checkpoint=path, resume=True)
    whole.fit(X, Y, epochs=3)
    same(one, whole)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batch", 7, "'batch' is 7, but an epoch has 6"),
        ("batch", -1, "'batch' must be an integer from 0"),
        ("examples", "8", "'examples' must be an integer"),
        ("seconds", -1.0, "'seconds' must be from 0"),
        ("seconds", None, "'seconds' must be a number"),
        ("measures", [], "'measures' must be"),
        ("measures", {}, "its position: "),
        ("measures", {"object": {"_loss": 3.0}}, "its position: "),
        ("measures", {"object": {"_metrics": {"dict": []}}}, "its position: expected"),
        ("measures", {"array": "0"}, "its position: "),
        (None, 3, "'position' must be"),
    ],
)
def test_a_damaged_position(tmp_path, name, value, message):
    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(
            X, Y, epochs=2, batch_size=4, callbacks=[Stop(2, 3)], checkpoint=path
        )
    arrays, metadata = read_tensors(path)
    state = json.loads(metadata[KEY])
    if name is None:
        state["position"] = value
    else:
        state["position"][name] = value
    write_tensors(arrays, path, {KEY: json.dumps(state)})
    one = trainer(seed=1)
    before = one.model.state_dict()
    with pytest.raises(DataError, match=message):
        one.fit(X, Y, epochs=2, batch_size=4, checkpoint=path, resume=True)
    np.testing.assert_equal(one.model.state_dict(), before)
    assert len(one.history) == 0


def test_a_generator_has_no_checkpoints(tmp_path):
    batches = ((X, Y) for _ in range(9))
    with pytest.raises(ArgumentError, match="a checkpoint needs data that can be read"):
        trainer().fit(batches, steps_per_epoch=3, checkpoint=tmp_path / "c")
