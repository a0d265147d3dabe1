"""S15, S23: an interrupted training goes on as if nothing had happened."""

import os
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import backend, nn, optim, train
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DataError
from fastdl.files import previous
from fastdl.train import Callback, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2)).astype(np.float32)
Y = np.arange(24) % 2
OTHER = RNG.normal(size=(24, 2)).astype(np.float32)


class Interrupt(Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def decides(self):
        return None

    def on_batch_end(self, trainer, step):
        if (step.epoch, step.batch) == (self.epoch, 2):
            raise KeyboardInterrupt


def trainer(seed=0):
    fastdl.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )
    return Trainer(model, optimizer=partial(optim.Adam, lr=0.02))


def same(one, other):
    np.testing.assert_equal(one.model.state_dict(), other.model.state_dict())
    np.testing.assert_equal(one.optimizer.state_dict(), other.optimizer.state_dict())
    timed = {"seconds", "examples_per_second", "step_ms", "total_seconds"}
    rows, others = (
        [{k: v for k, v in row.items() if k not in timed} for row in each.history.rows]
        for each in (one, other)
    )
    assert rows == others


CALLBACKS = {
    "none": lambda tmp_path: [],
    "schedule by step": lambda tmp_path: [train.Schedule(optim.OneCycle(0.05))],
    "schedule by epoch": lambda tmp_path: [
        train.LearningRateLog(),
        train.Schedule(optim.InverseDecay(0.05), "epoch"),
    ],
    "plateau": lambda tmp_path: [
        train.LearningRateLog(),
        train.ReduceOnPlateau(patience=1, min_delta=1.0),
    ],
    "early stopping": lambda tmp_path: [train.EarlyStopping(patience=5, min_delta=0.5)],
    "average": lambda tmp_path: [train.WeightAverage(0.9, apply_at_end=True)],
    "several": lambda tmp_path: [
        train.Timing(),
        train.GradientMonitor(),
        train.ModelCheckpoint(tmp_path),
        train.Schedule(optim.Cosine(0.05)),
        train.EarlyStopping(patience=5, min_delta=0.5),
    ],
}


@pytest.mark.parametrize("loader", [False, True], ids=["arrays", "loader"])
@pytest.mark.parametrize("steps", [None, 1], ids=["epochs", "steps"])
@pytest.mark.parametrize("name", CALLBACKS)
def test_resumed_is_uninterrupted(tmp_path, name, steps, loader):
    """S15, S23: the same bits, whatever the callbacks remember."""
    path = tmp_path / "new" / "checkpoint.safetensors"

    def fit(one, interrupted, **options):
        data = DataLoader((X, Y), 8, shuffle=True, seed=3) if loader else (X, Y)
        own = {} if loader else {"batch_size": 8, "seed": 3}
        callbacks = [*CALLBACKS[name](tmp_path), Interrupt(interrupted)]
        one.fit(
            data, epochs=8, validation=(OTHER, Y), callbacks=callbacks, **own, **options
        )
        return one

    kept = {"checkpoint": path, "checkpoint_steps": steps}

    whole = fit(trainer(), interrupted=None)
    with pytest.raises(KeyboardInterrupt):
        fit(trainer(), interrupted=4, **kept)
    assert set(path.parent.iterdir()) == {path, previous(path)}  # nothing temporary
    resumed = fit(trainer(seed=1), interrupted=None, resume=True, **kept)
    same(resumed, whole)
    assert len(whole.history) > 4


def test_a_stopped_training_stays_stopped(tmp_path):
    """S23"""
    path = tmp_path / "checkpoint.safetensors"

    def fit(one, **options):
        stopping = train.EarlyStopping("loss", patience=1, min_delta=10)
        one.fit((X, Y), epochs=9, callbacks=[stopping], checkpoint=path, **options)
        return one

    first = fit(trainer())
    assert len(first.history) == 2
    same(fit(trainer(seed=1), resume=True), first)


def test_more_epochs_than_before(tmp_path):
    """S23"""
    path = tmp_path / "checkpoint.safetensors"
    trainer().fit((X, Y), epochs=2, checkpoint=path)
    one = trainer(seed=1)
    one.fit((X, Y), epochs=5, checkpoint=path, resume=True)
    whole = trainer()
    whole.fit((X, Y), epochs=5)
    same(one, whole)


@pytest.mark.parametrize("per", ["step", "epoch"])
def test_more_epochs_than_before_with_a_schedule(tmp_path, per):
    """S15: the first step of the new epochs has its own rate, not the last one's."""
    path = tmp_path / "checkpoint.safetensors"

    def fit(one, epochs, **options):
        callbacks = [train.LearningRateLog(), train.Schedule(lambda t: 0.1 / t, per)]
        one.fit((X, Y), epochs=epochs, callbacks=callbacks, checkpoint=path, **options)
        return one

    fit(trainer(), 2)
    resumed = fit(trainer(seed=1), 5, resume=True)
    same(resumed, fit(trainer(), 5))


def test_a_manual_rate_is_obeyed_once(tmp_path):
    """S15: what the control file said before the interruption is not repeated."""
    path, control = tmp_path / "checkpoint.safetensors", tmp_path / "control.json"
    control.write_text('{"learning_rate": 0.5}', encoding="utf-8")

    def fit(one, epochs, **options):
        lower = train.ReduceOnPlateau("loss", patience=1, min_delta=10)
        callbacks = [train.ManualRate(control), lower]
        one.fit((X, Y), epochs=epochs, callbacks=callbacks, checkpoint=path, **options)
        return one.optimizer.param_groups[0]["lr"]

    assert fit(trainer(), 2) == pytest.approx(0.05)
    assert fit(trainer(), 3, resume=True) == pytest.approx(0.005)


def test_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(ArgumentError, match="resume from where"):
        trainer().fit((X, Y), resume=True)
    with pytest.raises(DataError, match="no file"):
        trainer().fit((X, Y), checkpoint=path, resume=True)
    trainer().save(path)
    with pytest.raises(DataError, match="no checkpoint of a training"):
        trainer().fit((X, Y), checkpoint=path, resume=True)
    with pytest.raises(ArgumentError, match=r"no checkpoint .* would be replaced"):
        trainer().fit((X, Y), checkpoint=path)
    path.unlink()
    trainer().fit((X, Y), checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cut off"):
        trainer().fit((X, Y), checkpoint=path, resume=True)


def test_paths_that_would_fail_later(tmp_path):
    """Found before the training, as is what the checkpoint before is called."""
    (tmp_path / "c.previous.safetensors").mkdir()
    for path in ("/", tmp_path, tmp_path / "c.safetensors", tmp_path / ("x" * 248)):
        one = trainer()
        with pytest.raises(OSError, match=r"directory|too long"):
            one.fit((X, Y), checkpoint=path)
        assert not len(one.history)


def test_an_interrupted_training_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "c"
    for interrupt, after in ((Interrupt(1), 0), (Interrupt(2), 1)):
        with pytest.raises(KeyboardInterrupt):
            trainer().fit((X, Y), epochs=2, batch_size=8, callbacks=[interrupt],
                          checkpoint=path, checkpoint_steps=1)  # fmt: skip
        with pytest.warns(UserWarning, match=f"after {after} of 2 epochs"):
            trainer().fit((X, Y), epochs=2, checkpoint=path)
        trainer().fit((X, Y), epochs=3, checkpoint=path)  # that one is over


def test_another_computer_rounds_otherwise(tmp_path):
    path, before = tmp_path / "c", backend.name
    trainer().fit((X, Y), checkpoint=path)
    backend.use("reference")
    try:
        with pytest.warns(UserWarning, match="computed by .*, now it is reference"):
            trainer().fit((X, Y), epochs=2, checkpoint=path, resume=True)
    finally:
        backend.use(before)


def test_what_reads_a_checkpoint(tmp_path):
    one, other = trainer(), trainer(1)
    one.fit((X, Y), checkpoint=tmp_path / "c")
    other.model.build((2,))
    fastdl.load_weights(other.model, tmp_path / "c")
    np.testing.assert_equal(one.model.state_dict(), other.model.state_dict())
    with pytest.raises(DataError, match=r"a checkpoint of a training: fit.*resume"):
        fastdl.load(tmp_path / "c")
    with pytest.raises(DataError, match="no trainer, but a checkpoint: fit"):
        Trainer.load(tmp_path / "c")


def test_nobody_reads_the_progress(tmp_path, monkeypatch):
    """As in ``python train.py 2>&1 | head``: the epoch is not lost, all are made."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as closed:
        monkeypatch.setattr("sys.stderr", closed)
        one = trainer()
        one.fit((X, Y), epochs=2, verbose=2, checkpoint=tmp_path / "c")
        monkeypatch.undo()
        with suppress(BrokenPipeError):
            closed.close()
    assert len(one.history) == 2


# The checkpoint before ----------------------------------------------------------------


def damage(path):
    """Flip a bit in the middle, as a disk may."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["damaged", "cut off", "lost"])
def test_the_one_before_a_damaged_one(tmp_path, how):
    """It is told once; the training is the same, and nothing is thrown away."""
    path = tmp_path / "checkpoint.safetensors"
    trainer().fit((X, Y), epochs=3, checkpoint=path)
    if how == "damaged":
        damage(path)
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    content = path.read_bytes() if path.exists() else None
    one, whole = trainer(seed=1), trainer()
    with pytest.warns(UserWarning, match="from the checkpoint before") as seen:
        one.fit((X, Y), epochs=4, checkpoint=path, resume=True)
    assert len(seen) == 1
    assert str(path) in str(seen[0].message)
    assert seen[0].filename == __file__
    whole.fit((X, Y), epochs=4)
    same(one, whole)
    aside = tmp_path / "checkpoint.safetensors.damaged-1"
    if content is None:
        assert not aside.exists()
    else:
        assert aside.read_bytes() == content
    one.fit((X, Y), epochs=5, checkpoint=path, resume=True)  # from the newest again
    assert len(one.history) == 5


def test_both_are_damaged(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trainer().fit((X, Y), epochs=2, checkpoint=path)
    damage(path)
    damage(previous(path))
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(DataError, match=r"checkpoint\.safetensors (is damaged|cannot)"):
        trainer().fit((X, Y), epochs=3, checkpoint=path, resume=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_the_one_before_is_of_another_training(tmp_path):
    """It is refused as such, and the damaged one stays where it is."""
    path = tmp_path / "checkpoint.safetensors"
    trainer().fit((X, Y), epochs=1, checkpoint=path)
    trainer().fit((OTHER, Y), epochs=1, checkpoint=path)
    damage(path)
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ArgumentError, match=r"previous\.safetensors is of another"):
        trainer().fit((OTHER, Y), epochs=2, checkpoint=path, resume=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files


# One file, one training ---------------------------------------------------------------


def test_two_trainings_do_not_write_one_file(tmp_path):
    """Through a link too; the first goes on."""
    path, link = tmp_path / "checkpoint.safetensors", tmp_path / "link"
    link.symlink_to(path)

    class Second(Callback):
        def on_train_begin(self, one, epochs, batches):
            for same in (path, link):
                with pytest.raises(DataError, match=rf"\({os.getpid()}\) is training"):
                    trainer().fit((X, Y), checkpoint=same)
            trainer().fit((X, Y), checkpoint=tmp_path / "other")

    trainer().fit((X, Y), checkpoint=path, callbacks=[Second()])
    trainer().fit(
        (X, Y), epochs=2, checkpoint=path, resume=True, allow_changes="callbacks"
    )
    assert not list(tmp_path.glob(".*"))
