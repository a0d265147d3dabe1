"""S15: learning rates that change while a Trainer trains; the range test."""

import json
import math
import os
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import data, nn, optim
from fastdl.errors import ArgumentError, FastdlError, NonFiniteError
from fastdl.train import Callback, ManualRate, Schedule, Trainer, lr_range_test

X = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
Y = np.arange(12) % 2


def trainer(lr=0.1, **options):
    fastdl.manual_seed(0)
    rule = partial(optim.SGD, lr=lr, momentum=0.9)
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    return Trainer(model, optimizer=rule, **options)


class Rates(Callback):
    """Notes the rates of each step, when it is done, before the next are set."""

    def __init__(self):
        self.rates = []

    def on_batch_end(self, trainer, step):
        groups = trainer.optimizer.param_groups
        self.rates.append([group["lr"] for group in groups])


def rates_of(one, schedule, epochs=2, *callbacks):
    seen = Rates()
    one.fit((X, Y), epochs=epochs, batch_size=4, callbacks=[seen, schedule, *callbacks])
    return np.array(seen.rates)


def test_cosine_spans_all_steps_of_fit():
    """S15"""
    one = trainer()
    rates = rates_of(one, Schedule(optim.Cosine(0.1)))
    expected = [[0.05 * (1 + math.cos(math.pi * k / 6))] for k in range(6)]
    np.testing.assert_allclose(rates, expected)
    assert one.optimizer.param_groups[0]["lr"] == 0.1


def test_per_epoch():
    """S15"""
    rates = rates_of(trainer(), Schedule(optim.InverseDecay(0.2), "epoch"), epochs=4)
    expected = np.repeat([0.1, 0.2 / 3, 0.05, 0.04], 3)
    np.testing.assert_allclose(rates.ravel(), expected)


def test_each_group_keeps_its_ratio():
    """S15"""
    one = trainer()
    first, *others = one.model.parameters()
    groups = [{"params": [first], "lr": 1.0}, {"params": others, "lr": 10.0}]
    one = Trainer(one.model, optimizer=optim.SGD(groups))
    rates = rates_of(one, Schedule(lambda t: 0.01 * t), epochs=1)
    np.testing.assert_allclose(rates, [[0.01, 0.1], [0.02, 0.2], [0.03, 0.3]])


def test_rates_change_what_is_learned():
    """S15"""

    def weights(schedule):
        one = trainer()
        rates_of(one, Schedule(schedule))
        return one.model.state_dict()["0.weight"]

    assert (weights(optim.Cosine(0.1)) != weights(lambda t: 0.1)).any()


def test_rates_are_put_back_after_an_error():
    class Fails(Callback):
        def on_batch_end(self, trainer, step):
            raise RuntimeError("broken")

    one = trainer()
    with pytest.raises(RuntimeError, match="broken"):
        rates_of(one, Schedule(optim.Cosine(0.3)), 2, Fails())
    assert one.optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("per", ["step", "epoch"])
@pytest.mark.parametrize(
    ("schedule", "end"),
    [(optim.Cosine(0.3, total=2), 0.15), (optim.OneCycle(0.3, total=2), 3e-5)],
    ids=["Cosine", "OneCycle"],
)
def test_a_schedule_shorter_than_the_training(schedule, end, per):
    """S15: its last rate holds."""
    rates = rates_of(trainer(), Schedule(schedule, per), epochs=3)
    assert rates[-3:] == pytest.approx(end)


def test_a_schedule_that_reaches_zero():
    """S15"""
    one = trainer()
    with pytest.raises(ArgumentError, match=r"schedule .* gave 0.0 for t = 3"):
        rates_of(one, Schedule(lambda t: 0.3 if t < 3 else 0.0))
    assert one.optimizer.param_groups[0]["lr"] == 0.1


def test_units():
    with pytest.raises(ArgumentError, match=r"'epochs'; did you mean 'epoch'"):
        Schedule(optim.Cosine(0.1), "epochs")


# By hand


class Hand(Callback):
    """Writes to the control file at the end of epochs."""

    def __init__(self, path, texts):
        self.path, self.texts = path, dict(texts)

    def on_epoch_end(self, trainer, row):
        if row["epoch"] in self.texts:
            self.path.write_text(self.texts[row["epoch"]], encoding="utf-8")


def test_a_rate_from_outside(tmp_path, capsys):
    """S15: manual, between epochs."""
    path = tmp_path / "control.json"
    hand = Hand(path, {1: '{"learning_rate": 0.02}', 3: '{"learning_rate": 1}'})
    rates = rates_of(trainer(), ManualRate(path), 5, hand)
    np.testing.assert_array_equal(rates.ravel()[::3], [0.1, 0.02, 0.02, 1, 1])
    log = capsys.readouterr().err.splitlines()
    assert log == [
        f"epoch 2: learning rate 0.1 -> 0.02 by {path}",
        f"epoch 4: learning rate 0.02 -> 1 by {path}",
    ]


def test_a_schedule_goes_on_from_a_manual_rate(tmp_path):
    """S15"""
    path = tmp_path / "control.json"
    path.write_text(json.dumps({"learning_rate": 0.05}), encoding="utf-8")
    schedule = Schedule(optim.Staircase(0.8, every=1), "epoch")
    rates = rates_of(trainer(), schedule, 3, ManualRate(path))
    np.testing.assert_allclose(rates.ravel()[::3], [0.05, 0.025, 0.0125])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[0.1]",
        "0.1",
        "{}",
        '{"lr": 0.1}',
        '{"learning_rate": 0.1, "momentum": 1}',
        '{"learning_rate": "0.1"}',
        '{"learning_rate": true}',
        '{"learning_rate": null}',
        '{"learning_rate": 0}',
        '{"learning_rate": -1e-3}',
        '{"learning_rate": NaN}',
        '{"learning_rate": 1e999}',
        '{"learning_rate": ' + 400 * "9" + "}",
    ],
    ids=lambda text: text[:30],
)
def test_nonsense_does_not_stop_a_training(tmp_path, capsys, text):
    """S15: it is reported once."""
    path = tmp_path / "control.json"
    rates = rates_of(trainer(), ManualRate(path), 3, Hand(path, {1: text}))
    assert (rates == 0.1).all()
    log = capsys.readouterr().err
    assert log.count("is ignored: ") == 1
    assert log.startswith("epoch 2: ")


def test_a_control_file_that_cannot_be_read(tmp_path, capsys):
    path = tmp_path / "control.json"
    path.mkdir()
    assert (rates_of(trainer(), ManualRate(path), 3) == 0.1).all()
    path.rmdir()
    path.write_bytes(b"\xff\xfe")
    assert (rates_of(trainer(), ManualRate(path), 3) == 0.1).all()
    assert capsys.readouterr().err.count("is ignored: ") == 2


@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_a_control_file_without_end(tmp_path, capsys, kind):
    path = tmp_path / "control.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with open(path, "wb") as file:
            file.truncate(2**24 + 1)
    assert (rates_of(trainer(), ManualRate(path), 3) == 0.1).all()
    assert capsys.readouterr().err.count("is ignored: ") == 1


# Range test


def test_range_test_measures_and_leaves_no_trace():
    """S15"""
    one = trainer(lr=0.3)
    one.fit((X, Y), batch_size=4)
    before = one.model.state_dict(), one.optimizer.state_dict(), len(one.history)
    result = lr_range_test(one, (X, Y), 1e-4, 1e-1, steps=7, batch_size=5)
    np.testing.assert_allclose(result.rates, 10 ** np.linspace(-4, -1, 7))
    assert result.losses.shape == (7,)
    assert len(set(result.losses)) == 7
    after = one.model.state_dict(), one.optimizer.state_dict(), len(one.history)
    np.testing.assert_equal(after, before)


def test_range_test_ends_when_the_loss_explodes():
    """S15"""
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(8, 1)
    model = nn.Linear(1, 1)
    one = Trainer(model, nn.MSELoss(), partial(optim.SGD, lr=0.1))
    before = model.state_dict()
    result = lr_range_test(one, (x, 3 * x), 1e-3, 1e6, steps=60, batch_size=8)
    assert 10 < len(result.losses) < 60
    assert result.losses.argmin() < len(result.losses) - 1
    assert np.isfinite(result.losses).all()
    np.testing.assert_equal(model.state_dict(), before)


@pytest.mark.parametrize("epoch", [0, 2])
def test_range_test_with_a_loader(epoch):
    """It goes on where the loader is, and puts it back there."""
    loader = data.DataLoader((X, Y), 4, shuffle=True, seed=3)
    loader.epoch = epoch
    batches = [x for _ in range(2) for x, _ in loader]
    loader.epoch = epoch
    one, seen = trainer(), []
    hook = one.model.register_forward_hook(lambda layer, x, y: seen.append(x[0].data))
    first = lr_range_test(one, loader, steps=5)
    hook.remove()
    for x, batch in zip(seen[-5:], batches[:5], strict=True):
        np.testing.assert_array_equal(x, batch)
    second = lr_range_test(one, loader, steps=5)
    np.testing.assert_array_equal(first.losses, second.losses)
    assert loader.epoch == epoch


@pytest.mark.parametrize(
    "options",
    [{"lowest": 0}, {"lowest": 2.0}, {"highest": math.inf}, {"steps": 1}],
    ids=str,
)
def test_range_test_refuses(options):
    with pytest.raises(FastdlError, match="lr_range_test: "):
        lr_range_test(trainer(), (X, Y), **options)


def test_range_test_of_broken_data():
    with pytest.raises(NonFiniteError, match="fit: x"):
        lr_range_test(trainer(), (np.where(X > 1, np.nan, X), Y))
