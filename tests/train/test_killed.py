"""S23: whatever ends a training, it goes on with the same bits, and loses little.

A training in a process of its own is killed, or asked to end, at random moments, and
resumed again and again; disks fail at each byte of a checkpoint.
"""

import errno
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import nn, optim, train
from fastdl.data import DataLoader, uniform
from fastdl.files import previous, replace
from fastdl.train import Callback, Trainer
from fastdl.train.checkpoint import Checkpoint
from fastdl.train.description import Run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype(np.float32)
Y = np.arange(96) % 3
BATCHES, EPOCHS = 12, 4
TIMES = {"seconds", "examples_per_second"}


def noise(x, y, seeds):
    return x + uniform(seeds, x.shape[1]).astype(np.float32), y


def made(seed=0):
    fastdl.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )
    return Trainer(
        model, optimizer=partial(optim.Adam, lr=0.02), metrics=["accuracy", "roc_auc"]
    )


def fit(trainer, callbacks=(), **options):
    loader = DataLoader((X, Y), 8, shuffle=True, transform=noise, workers=2)
    usual = [train.Schedule("cosine"), train.WeightAverage(0.9)]
    callbacks = [*usual, *callbacks]
    options = {"epochs": EPOCHS, "progress": False} | options
    trainer.fit(loader, validation=(X, Y), callbacks=callbacks, **options)


def outcome(trainer):
    """Return what must be the same, as text."""
    weights = hashlib.sha256()
    for array in trainer.model.state_dict().values():
        weights.update(array.tobytes())
    rows = [
        {name: value for name, value in row.items() if name not in TIMES}
        for row in trainer.history.rows
    ]
    return json.dumps([weights.hexdigest(), rows])


class Diary(Callback):
    """Writes down each step, so that it is known after a kill."""

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def decides(self):
        return None

    def on_batch_end(self, trainer, step):
        os.write(self.file, b"%4d\n" % ((step.epoch - 1) * BATCHES + step.batch))


def train_on(folder, steps, full_after=None):
    """Train in a process of its own, or go on; its disk may be full after a step."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stderr = open(folder / "errors", "a")  # noqa: SIM115
    path = folder / "checkpoint"
    resume = path.exists()
    trainer, callbacks = made(seed=int(resume)), [Diary(folder / "diary")]
    if full_after is not None:
        callbacks.append(FullDisk(full_after, folder))
    try:
        fit(trainer, callbacks, checkpoint=path, checkpoint_steps=steps, resume=resume)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{error.errno} {error.filename}")
    (folder / "outcome").write_text(outcome(trainer))


@pytest.fixture(scope="module")
def start():
    """Start a function in a new process, soon."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system has no fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def start(function, *arguments):
        process = context.Process(target=function, args=arguments)
        process.start()
        return process

    return start


@pytest.fixture(scope="module")
def whole():
    """What an uninterrupted training comes to."""
    trainer = made()
    fit(trainer)
    return outcome(trainer)


def steps_in(diary):
    return [int(line) for line in diary.read_text().split()] if diary.exists() else []


def attack(start, tmp_path, whole, count, number, seed=0):
    """Send so many signals at random moments; return how many steps were lost at most.

    Each process gets one, after its first step.
    """
    chance, sent, worst = random.Random(seed), 0, 0
    last = BATCHES * EPOCHS
    while sent < count:
        folder = tmp_path / str(sent)
        folder.mkdir()
        diary, steps, done = folder / "diary", chance.randrange(1, 6), []
        while not (folder / "outcome").exists():
            process = start(train_on, folder, steps)
            target = len(done) + chance.randrange(1, 20)
            while len(steps_in(diary)) < target and process.is_alive():
                time.sleep(0.0005)
            time.sleep(chance.uniform(0, 0.004))
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process.pid, number)
            process.join()
            sent += 1
            own = steps_in(diary)[len(done) :]
            if own:
                assert own == list(range(own[0], own[-1] + 1))
                lost = done[-1] + 1 - own[0] if done else own[0] - 1
                assert 0 <= lost <= (steps if number == signal.SIGKILL else 0)
                worst = max(worst, lost)
                done += own
            if done[-1] < last and number != signal.SIGKILL:
                assert process.exitcode == 128 + number
        assert (folder / "outcome").read_text() == whole
        assert (folder / "errors").read_text() == ""
        assert not list(folder.glob("*damaged*"))
    return worst


@pytest.mark.parametrize(
    ("number", "count"),
    [
        (signal.SIGKILL, 3),
        (signal.SIGTERM, 3),
        pytest.param(signal.SIGKILL, 200, marks=pytest.mark.soak),
        pytest.param(signal.SIGTERM, 50, marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, 50, marks=pytest.mark.soak),
    ],
)
def test_signals_at_random_moments(start, tmp_path, whole, number, count):
    """A kill costs one interval at most, and a signal to end nothing at all."""
    print(attack(start, tmp_path, whole, count, number), "steps lost at most")


def test_while_the_dev_set_is_measured(tmp_path, whole, monkeypatch):
    """The steps of the epoch are kept, and the set is measured again."""
    path, trainer = tmp_path / "checkpoint", made()
    evaluate = Trainer._evaluate

    def interrupted(self, *arguments):
        if len(self.history) == 1:
            signal.raise_signal(signal.SIGTERM)
        return evaluate(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_evaluate", interrupted)
        with pytest.raises(SystemExit) as caught:
            fit(trainer, checkpoint=path)
    assert caught.value.code == 143
    assert str(caught.value) == "in epoch 2, after 12 of 12 batches"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    trainer = made(seed=1)
    fit(trainer, checkpoint=path, resume=True)
    assert outcome(trainer) == whole


def test_while_a_checkpoint_is_written(tmp_path, whole, monkeypatch):
    """It comes to its end first."""
    path, fsync = tmp_path / "checkpoint", os.fsync

    def interrupted(descriptor):
        if path.exists():
            signal.raise_signal(signal.SIGTERM)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(SystemExit, match="after epoch 1"):
            fit(made(), checkpoint=path)
    trainer = made(seed=1)
    fit(trainer, checkpoint=path, resume=True)
    assert outcome(trainer) == whole


def terminated_twice(folder, pause):
    class Slow(Callback):
        def on_batch_end(self, trainer, step):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(pause)
            (folder / "finished").touch()

    fit(made(), [Slow()], checkpoint=folder / "checkpoint")


@pytest.mark.parametrize(("pause", "code"), [(0, 143), (1.1, -signal.SIGTERM)])
def test_a_second_sigterm_does_not_wait(start, tmp_path, pause, code):
    """Unless it is the first one again, which went to the group of processes too."""
    process = start(terminated_twice, tmp_path, pause)
    process.join()
    assert process.exitcode == code
    assert (tmp_path / "finished").exists() == (code == 143)
    assert (tmp_path / "checkpoint").exists() == (code == 143)


def test_a_handler_of_the_program_is_called_instead(tmp_path):
    came = []

    class Signal(Callback):
        def on_batch_end(self, trainer, step):
            if (step.epoch, step.batch) == (1, 3):
                signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: came.append(True))
    try:
        fit(made(), [Signal()], checkpoint=tmp_path / "c", epochs=1)
        assert came == [True]
    finally:
        signal.signal(signal.SIGTERM, before)


# Disks --------------------------------------------------------------------------------


class Disk(replace._Raw):
    """A file on a disk that has room for so many bytes more."""

    room, error = 0, errno.ENOSPC

    def write(self, data):
        with replace._naming(self._path):
            if not Disk.room:
                raise OSError(Disk.error, os.strerror(Disk.error))
        written = super().write(memoryview(data).cast("B")[: Disk.room])
        Disk.room -= written
        return written


@pytest.fixture
def keeper(tmp_path, monkeypatch):
    """A checkpoint that has been written twice."""
    trainer = made()
    fit(trainer, epochs=1)
    loader = DataLoader((X, Y), 8)
    keeper = Checkpoint(tmp_path / "c", Run(trainer, loader, None, [], 9))
    keeper.save(1)
    keeper.save(2)
    monkeypatch.setattr(replace, "_Raw", Disk)
    return keeper


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("every", [211, pytest.param(1, marks=pytest.mark.soak)])
def test_a_disk_that_fails_at_any_byte(keeper, tmp_path, monkeypatch, error, every):
    """The error names the file; the old ones stay, and nothing else is left."""
    monkeypatch.setattr(Disk, "error", error)
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert files.keys() == {tmp_path / "c", previous(tmp_path / "c")}
    size = len(files[tmp_path / "c"])
    for room in range(0, size, every):
        monkeypatch.setattr(Disk, "room", room)
        with pytest.raises(OSError, match=os.strerror(error)) as caught:
            keeper.save(3)
        assert (caught.value.errno, caught.value.filename) == (error, f"{tmp_path}/c")
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files
    monkeypatch.setattr(Disk, "room", size)
    keeper.save(3)
    assert previous(tmp_path / "c").read_bytes() == files[tmp_path / "c"]


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_every_step_of_writing_may_fail(tmp_path, whole, monkeypatch, step):
    """Then the training in memory is as good as before, and goes on from the file."""
    path, usual, trainer = tmp_path / "c", getattr(os, step), made()

    def broken(*arguments, **options):
        if len(trainer.history) == 2:
            raise OSError(errno.EIO, "broken", "another name")
        return usual(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, broken)
        with pytest.raises(OSError, match="broken") as caught:
            fit(trainer, checkpoint=path)
    assert caught.value.filename == str(path)
    assert len(trainer.history) == 2
    assert {file.name for file in tmp_path.iterdir()} == {"c"}
    fit(trainer, checkpoint=path, resume=True)
    assert outcome(trainer) == whole


@pytest.mark.parametrize("links", [True, False])
def test_the_file_before_is_kept(tmp_path, monkeypatch, links):
    """With or without links, and where a kill had left both names to one file."""

    def no_links(*_):
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "file.txt"
    for number in range(4):
        with replace.replaced(path, keep=True) as file:
            file.write(b"%d" % number)
        if number == 1 and links:
            previous(path).unlink()
            os.link(path, previous(path))
    assert path.read_bytes() == b"3"
    assert previous(path) == tmp_path / "file.previous.txt"
    assert previous(path).read_bytes() == b"2"
    assert len(list(tmp_path.iterdir())) == 2


class FullDisk(Callback):
    """Leaves no room for another checkpoint after a step.

    On a small file system a file takes it; elsewhere files may not be as large.
    """

    def __init__(self, step, folder):
        self.step, self.folder = step, folder

    def decides(self):
        return None

    def on_batch_end(self, trainer, step):
        if (step.epoch - 1) * BATCHES + step.batch != self.step:
            return
        if not self.folder.is_mount():
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            return
        with open(self.folder / "filler", "wb", buffering=0) as file:
            with suppress(OSError):
                while True:
                    file.write(bytes(4096))
            file.truncate(file.tell() - 4096)  # room for the message


@pytest.fixture(params=["limit", pytest.param("mount", marks=pytest.mark.soak)])
def small(request, tmp_path):
    """A folder on a file system that can be filled."""
    if request.param == "limit":
        yield tmp_path
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(mount).returncode:
        pytest.skip("only root may mount a small file system")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk(start, small, whole):
    """The error is told; with room again the training loses two steps and no bit."""
    process = start(train_on, small, 4, 18)
    process.join()
    number, path = (small / "errors").read_text().split()
    full = errno.ENOSPC if small.is_mount() else errno.EFBIG
    assert (int(number), path) == (full, str(small / "checkpoint"))
    (small / "filler").unlink(missing_ok=True)
    process = start(train_on, small, 4)
    process.join()
    assert process.exitcode == 0
    # Step 16 was followed by a checkpoint, and step 20 by none.
    assert steps_in(small / "diary")[19:22] == [20, 17, 18]
    assert (small / "outcome").read_text() == whole
