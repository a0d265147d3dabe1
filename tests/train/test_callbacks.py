"""S23: early stopping and the other callbacks; S11: averaged weights."""

import json
import math
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import metrics, nn, optim, train
from fastdl.errors import ArgumentError, FastdlError
from fastdl.train import Callback, Trainer

X = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
Y = np.arange(12) % 2


def trainer():
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    return Trainer(model, optimizer=partial(optim.SGD, lr=0.1))


class Measures(Callback):
    """Puts a column of given values into the history; keeps the weights."""

    def __init__(self, *values, name="val_loss"):
        self.values, self.name, self.states = values, name, [None]

    def on_epoch_end(self, trainer, row):
        row[self.name] = self.values[len(self.states) - 1]
        self.states.append(trainer.model.state_dict())


def fit(one, *callbacks, epochs=6, **options):
    one.fit((X, Y), epochs=epochs, batch_size=4, callbacks=callbacks, **options)
    return one


# Early stopping


def test_early_stopping_restores_the_best_weights():
    """S23: patience 2, the best epoch is 2."""
    values = Measures(3.0, 1.0, 2.0, 1.5, 0.0, 0.0)
    stopping = train.EarlyStopping(patience=2)
    one = fit(trainer(), values, stopping)
    assert len(one.history) == 4
    assert (stopping.best, stopping.best_epoch) == (1.0, 2)
    np.testing.assert_equal(one.model.state_dict(), values.states[2])
    fit(one, Measures(5.0, 6.0), stopping, epochs=2)  # begins anew
    assert (stopping.best, stopping.best_epoch) == (5.0, 5)


def test_early_stopping_without_restoring():
    """S23"""
    values = Measures(1.0, 2.0, 0.0)
    one = fit(trainer(), values, train.EarlyStopping(patience=1, restore_best=False))
    assert len(one.history) == 2
    np.testing.assert_equal(one.model.state_dict(), values.states[2])


def test_early_stopping_restores_also_at_the_usual_end():
    """S23"""
    values = Measures(1.0, 2.0, 3.0)
    one = fit(trainer(), values, train.EarlyStopping(patience=9), epochs=3)
    np.testing.assert_equal(one.model.state_dict(), values.states[1])


def test_early_stopping_on_an_accuracy():
    """S23: more is better; steps below min_delta and NaN do not count."""
    values = Measures(0.5, 0.6, 0.65, math.nan, 0.68, name="val_accuracy")
    stopping = train.EarlyStopping("val_accuracy", patience=3, min_delta=0.09)
    one = fit(trainer(), values, stopping)
    assert len(one.history) == 5
    assert (stopping.best, stopping.best_epoch) == (0.6, 2)


def test_first_values_that_are_nan():
    stopping = train.EarlyStopping(patience=3)
    fit(trainer(), Measures(math.nan, 1.0, 2.0, 3.0, 4.0), stopping)
    assert stopping.best_epoch == 2


def test_early_stopping_learns_with_real_validation():
    """S23"""
    stopping = train.EarlyStopping(patience=3)
    one = fit(trainer(), stopping, epochs=40, validation=(X[::-1], Y))
    losses = one.history["val_loss"]
    assert stopping.best == min(losses)
    assert one.evaluate((X[::-1], Y))["loss"] == pytest.approx(min(losses))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "EarlyStopping: patience must be an integer >= 1"),
        ({"min_delta": -1}, "EarlyStopping: min_delta must be a number >= 0"),
        ({"mode": "mim"}, "'mim'; did you mean 'min'"),
        ({"monitor": "val_score"}, "is more or less of 'val_score' better"),
    ],
    ids=str,
)
def test_early_stopping_refuses(options, message):
    """S23"""
    with pytest.raises(FastdlError, match=message):
        train.EarlyStopping(**options)


def test_columns_that_are_missing():
    with pytest.raises(ArgumentError, match=r"no 'val_loss'.*; give fit validation"):
        fit(trainer(), train.EarlyStopping())
    with pytest.raises(ArgumentError, match="'acuracy'; did you mean 'accuracy'"):
        fit(trainer(), train.EarlyStopping("acuracy", mode="max"))


# Other callbacks that look at the best epoch


def test_checkpoints(tmp_path):
    """S23: the best and the last model, to be loaded at any time."""
    values = Measures(3.0, 1.0, 2.0)
    fit(trainer(), values, train.ModelCheckpoint(tmp_path / "new"), epochs=3)
    for name, epoch in {"best": 2, "last": 3}.items():
        model = fastdl.load(tmp_path / "new" / f"{name}.safetensors")
        np.testing.assert_equal(model.state_dict(), values.states[epoch])
    assert len(list((tmp_path / "new").iterdir())) == 2  # no temporary file


def test_a_checkpoint_in_a_file(tmp_path):
    """S23: as in Keras, a file is a file: the best model, and no other."""
    path = tmp_path / "new" / "best.safetensors"
    values = Measures(3.0, 1.0, 2.0)
    callback = train.ModelCheckpoint(path)
    fit(trainer(), values, callback, epochs=3)
    np.testing.assert_equal(fastdl.load(path).state_dict(), values.states[2])
    assert list(path.parent.iterdir()) == [path]
    assert (callback.best, callback.last) == (path, None)


def test_a_folder_may_have_a_dot(tmp_path):
    fit(trainer(), Measures(1.0), train.ModelCheckpoint(tmp_path / "v1.2"), epochs=1)
    assert sorted(path.name for path in (tmp_path / "v1.2").iterdir()) == [
        "best.safetensors",
        "last.safetensors",
    ]


@pytest.mark.parametrize("name", ["best.keras", "best.h5", "runs/Best.CKPT", "m.pt"])
def test_files_of_others(name):
    with pytest.raises(ArgumentError, match=r"is no file of fastdl; give a file \*"):
        train.ModelCheckpoint(name)


def test_one_file_has_no_braces_in_its_name():
    """Keras has ``{epoch:02d}`` there."""
    with pytest.raises(ArgumentError, match="leave the braces out"):
        train.ModelCheckpoint("best_{epoch:02d}.safetensors")


class Rates(Callback):
    def __init__(self):
        self.rates = []

    def on_epoch_begin(self, trainer, epoch):
        self.rates.append(trainer.optimizer.param_groups[0]["lr"])


def test_reduce_on_plateau():
    """S15: lowered after 2 epochs without a new best, down to min_lr."""
    rates = Rates()
    values = Measures(3.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.7, 0.8, 0.9)
    plateau = train.ReduceOnPlateau(factor=0.1, patience=2, min_lr=0.005)
    fit(trainer(), rates, values, plateau, epochs=9)
    expected = [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.005, 0.005]
    np.testing.assert_allclose(rates.rates, expected)


def test_reduce_on_plateau_in_an_own_loop():
    """S15"""
    rule = optim.SGD([nn.Parameter(np.ones(2))], lr=1.0)
    plateau = train.ReduceOnPlateau("loss", factor=0.5, patience=1)
    for loss in (2.0, 2.0, 1.0, 1.0):
        plateau.step(rule, {"loss": loss})
    assert rule.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize(
    "options", [{"factor": 1}, {"factor": 0}, {"min_lr": -1}, {"patience": 0}], ids=str
)
def test_reduce_on_plateau_refuses(options):
    """S15"""
    with pytest.raises(FastdlError, match="ReduceOnPlateau: "):
        train.ReduceOnPlateau(**options)


# Logs


def test_json_lines(tmp_path):
    """S23"""
    path = tmp_path / "log.jsonl"
    one = fit(trainer(), Measures(1.0, math.nan), train.JSONLog(path), epochs=2)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows[0] == one.history.rows[0]
    assert rows[1]["val_loss"] is None
    assert rows[1]["epoch"] == 2


def test_learning_rate_is_that_of_the_last_step():
    """S23"""
    schedule = train.Schedule(lambda t: 0.1 / t)
    one = fit(trainer(), train.LearningRateLog(), schedule, epochs=2)
    np.testing.assert_allclose(one.history["learning_rate"], [0.1 / 3, 0.1 / 6])


def test_timing(monkeypatch):
    """S23"""
    seconds = iter([100, 101, 102, 104, 107, 110, 200, 201, 202, 203, 204.0])
    monkeypatch.setattr("fastdl.train.logs.time.perf_counter", lambda: next(seconds))
    timing, one = train.Timing(), trainer()
    step = train.Step(1, 1, 4, 0.5)
    timing.on_train_begin(one, 2, 3)
    rows = [{}, {}]
    for row in rows:
        timing.on_epoch_begin(one, 1)
        for _ in range(3):
            timing.on_batch_end(one, step)
        timing.on_epoch_end(one, row)
    assert rows == [
        {"step_ms": 2000, "total_seconds": 10},
        {"step_ms": 1000, "total_seconds": 104},
    ]


def test_timing_leaves_out_the_time_until_it_is_resumed(monkeypatch):
    seconds = iter([100, 100, 700, 703, 704.0])
    monkeypatch.setattr("fastdl.train.logs.time.perf_counter", lambda: next(seconds))
    timing, one, row = train.Timing(), trainer(), {}
    timing.on_train_begin(one, 1, 2)
    timing.on_epoch_begin(one, 1)
    timing.load_state_dict({"steps": np.array([1.0])})
    timing.on_batch_end(one, train.Step(2, 1, 4, 0.5))
    timing.on_epoch_end(one, row)
    assert row["step_ms"] == 2000  # of 1 and 3 seconds


# Gradients


def deep(scale, layers=12):
    fastdl.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(layers)))
    for parameter in model.parameters():
        parameter.data[...] = scale * np.eye(4)
    return Trainer(model, nn.MSELoss(), partial(optim.SGD, lr=1e-30))


@pytest.mark.parametrize(("scale", "verdict"), [(0.1, "vanishes"), (10, "explodes")])
def test_vanishing_and_exploding_gradients(capsys, scale, verdict):
    """S23: every layer, by name, once."""
    monitor = train.GradientMonitor()
    x = np.eye(4, dtype=np.float32)
    one = deep(scale)
    one.fit((x, x), epochs=2, callbacks=[monitor])
    log = capsys.readouterr().err.splitlines()
    assert len(log) == 12
    assert log[0].startswith(f"epoch 1: the gradient of '0.weight' {verdict}: its norm")
    # The derivative of mean((s^12 x - y)^2) by one layer's weights.
    expected = 2 / 16 * abs(scale**12 - 1) * scale**11 * 2
    assert monitor.norms["5.weight"] == pytest.approx(expected, rel=1e-4)
    whole = math.sqrt(12) * expected
    np.testing.assert_allclose(one.history["gradient_norm"], whole, rtol=1e-4)


def test_healthy_gradients(capsys):
    """S23"""
    monitor = train.GradientMonitor(vanishing=0, every=2)
    one = trainer()
    one.model[0].freeze()
    fit(one, monitor)
    assert not capsys.readouterr().err
    assert list(monitor.norms) == ["1.weight", "1.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize(
    "options",
    [{"vanishing": -1}, {"vanishing": 1e4}, {"exploding": math.nan}, {"every": 0}],
    ids=str,
)
def test_gradient_monitor_refuses(options):
    with pytest.raises(FastdlError, match="GradientMonitor: "):
        train.GradientMonitor(**options)


# Averaged weights


class Weights(Callback):
    def __init__(self):
        self.seen = []

    def on_batch_end(self, trainer, step):
        self.seen.append([p.data.copy() for p in trainer.model.parameters()])


def test_weight_average_is_the_corrected_average():
    """S11"""
    weights, average, one = Weights(), train.WeightAverage(0.8), trainer()
    fit(one, weights, average, epochs=2)
    expected = [metrics.ExponentialAverage(0.8) for _ in one.model.parameters()]
    for step in weights.seen:
        for each, array in zip(expected, step, strict=True):
            each.update(array)
    last = [p.data.copy() for p in one.model.parameters()]
    with average.applied(one.model):
        for parameter, each in zip(one.model.parameters(), expected, strict=True):
            np.testing.assert_allclose(parameter.data, each.result(), atol=1e-6)
    for parameter, array in zip(one.model.parameters(), last, strict=True):
        np.testing.assert_array_equal(parameter.data, array)


def test_weight_average_at_the_end():
    """S11"""
    average, one = train.WeightAverage(0.5, apply_at_end=True), trainer()
    fit(one, average)
    got = one.predict(X)
    with average.applied(one.model):
        np.testing.assert_array_equal(one.predict(X), got)
    last = fit(trainer(), train.WeightAverage(0.5)).predict(X)
    assert (got != last).any()


def test_weight_average_refuses():
    with pytest.raises(ArgumentError, match=r"WeightAverage: beta must be in \[0, 1\)"):
        train.WeightAverage(1)
    with (
        pytest.raises(FastdlError, match="no step yet"),
        train.WeightAverage().applied(trainer().model),
    ):
        pass
