"""Folders of pictures that are decoded when they are used, and kept on disk."""

import copy
import errno
import gc
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest

import fastdl
from fastdl import data, datasets, models, nn
from fastdl.cli import main
from fastdl.data import DataLoader, Subset
from fastdl.data import dataset as dataset_module
from fastdl.datasets import lazy as module
from fastdl.errors import ArgumentError, DataError
from fastdl.strategy import ErrorAnalysis
from fastdl.train import Job, RunFolder, open_run

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def pictures(tmp_path):
    """A folder with train/, dev/ and test/; the pictures have several sizes."""
    root = tmp_path / "pets"
    rng = np.random.default_rng(0)
    for part, count in (("train", 30), ("dev", 8), ("test", 6)):
        for name in ("cat", "dog"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 255, (9 + number % 3, 8, 3), np.uint8)
                suffix = ("png", "jpg")[number % 2]
                Image.fromarray(pixels).save(folder / f"{number:02}.{suffix}")
    Image.new("L", (8, 9), 77).save(root / "train" / "cat" / "grey.png")
    return root


def test_new_pictures_are_read_as_those_of_the_folder(pictures):
    train = datasets.image_folder(pictures, size=(9, 8)).train
    files = datasets.image_folder(pictures, size=(9, 8), lazy=True).train.files
    new = datasets.PictureFiles(files, None, train.x.shape[1:])
    assert new.y is None
    np.testing.assert_array_equal(new.x, train.x)
    fastdl.manual_seed(0)
    trainer = fastdl.Trainer(nn.Sequential(nn.Flatten(), nn.Linear(9 * 8 * 3, 2)))
    np.testing.assert_array_equal(trainer.predict(new), trainer.predict(train.x))


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, in a list."""
    files = []
    read_image = module.read_image

    def read(file, *arguments):
        files.append(file)
        return read_image(file, *arguments)

    monkeypatch.setattr(module, "read_image", read)
    return files


def everything(splits):
    return [
        part.take(np.arange(len(part))) for part in (splits[1], splits[2], splits[4])
    ]


@pytest.mark.parametrize("cache", [None, False])
def test_the_same_data_as_in_memory(pictures, cache):
    eager = datasets.image_folder(pictures, (6, 7))
    lazy = datasets.image_folder(pictures, (6, 7), lazy=True, cache=cache)
    assert (lazy.name, lazy.classes) == (eager.name, eager.classes)
    for _ in range(2):  # decoded, then kept
        for mine, theirs in zip(everything(lazy), everything(eager), strict=True):
            for values, expected in zip(mine, theirs, strict=True):
                assert values.dtype == expected.dtype
                np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(lazy.train.x, eager.train.x)
    np.testing.assert_array_equal(lazy.train.y, eager.train.y)


def test_each_picture_is_decoded_once(pictures, decoded, tmp_path):
    train = datasets.image_folder(pictures, 6, lazy=True, cache=tmp_path / "kept").train
    assert not decoded  # nothing before it is used
    train.take(np.array([3, 5, 3]))
    assert decoded == [train.files[3], train.files[5]]
    train.take(np.array([5, 4]))
    assert decoded[2:] == [train.files[4]]
    again = datasets.image_folder(pictures, 6, lazy=True, cache=tmp_path / "kept").train
    np.testing.assert_array_equal(again.take(np.array([4, 5]))[0], train.x[4:6])
    assert len(decoded) == len(train)
    assert sorted(os.listdir(tmp_path / "kept")) == [
        *("dev-6x6x3", "test-6x6x3", "train-6x6x3")
    ]


def test_the_default_place_is_one_for_each_folder(pictures, tmp_path, decoded):
    """In the user's cache folder, whatever the folder is called in a command."""
    other = shutil.copytree(pictures, tmp_path / "elsewhere" / "pets")
    (other / "train" / "cat" / "00.png").write_bytes(
        (pictures / "train" / "dog" / "00.png").read_bytes()
    )
    for folder in (pictures, other):
        _ = datasets.image_folder(folder, 6, lazy=True).train.x
    decoded.clear()
    relative = os.path.relpath(pictures)
    for folder in (pictures, relative, other):
        _ = datasets.image_folder(folder, 6, lazy=True).train.x
    assert not decoded
    kept = os.environ["XDG_CACHE_HOME"] + "/fastdl/pictures"
    assert len(os.listdir(kept)) == 2


@pytest.mark.parametrize("change", ["content", "time", "new", "gone", "size"])
def test_what_changed_is_decoded_again(change, pictures, decoded):
    _ = datasets.image_folder(pictures, 6, lazy=True).train.x
    file = pictures / "train" / "dog" / "03.jpg"
    if change == "content":
        Image.new("RGB", (20, 20), (1, 2, 3)).save(file)
    elif change == "time":
        os.utime(file, ns=(0, 0))
    elif change == "new":
        Image.new("RGB", (9, 8), (1, 2, 3)).save(file.with_name("02a.png"))
    elif change == "gone":
        file.unlink()
    decoded.clear()
    size = 7 if change == "size" else 6
    lazy = datasets.image_folder(pictures, size, lazy=True)
    eager = datasets.image_folder(pictures, size)
    for mine, theirs in zip(everything(lazy), everything(eager), strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
    again = len([name for name in decoded if "train" in name])
    # Files sort before others that move on by one place.
    expected = {"content": 1, "time": 1, "new": 28, "gone": 26, "size": 61}
    assert again == expected[change]


@pytest.mark.parametrize("where", ["pixels", "checksum", "end", "all"])
def test_damage_is_found(where, pictures, tmp_path, decoded):
    train = datasets.image_folder(pictures, 6, lazy=True, cache=tmp_path).train
    expected = train.x
    path, slot = tmp_path / "train-6x6x3", 6 * 6 * 3 + 8
    content = bytearray(path.read_bytes())
    assert len(content) == len(train) * slot
    damaged = {"pixels": 4 * slot + 9, "checksum": 5 * slot - 1}
    if where in damaged:
        content[damaged[where]] ^= 1
    path.write_bytes({"end": content[:-5], "all": b""}.get(where, content))
    decoded.clear()
    np.testing.assert_array_equal(train.x, expected)
    assert len(decoded) == (len(train) if where == "all" else 1)
    decoded.clear()
    np.testing.assert_array_equal(train.x, expected)
    assert not decoded


CHILD = """
    import sys, numpy as np
    from fastdl import datasets
    train = datasets.image_folder(sys.argv[1], 64, lazy=True, cache=sys.argv[2]).train
    print("ready", flush=True)
    order = np.random.default_rng(int(sys.argv[3])).permutation(len(train))
    while True:
        for index in order:
            train.take(np.array([index]))
"""


def test_killed_and_concurrent_processes_leave_only_right_pictures(pictures, tmp_path):
    """Two write into one file while a third reads; both are killed while they do."""
    argv = [sys.executable, "-c", textwrap.dedent(CHILD), str(pictures), str(tmp_path)]
    for round_ in range(2):
        children = [
            subprocess.Popen([*argv, str(seed)], stdout=subprocess.PIPE)
            for seed in (round_, round_ + 10)
        ]
        for child in children:
            assert child.stdout.readline() == b"ready\n"
        time.sleep(0.02 * round_)
        eager = datasets.image_folder(pictures, 64).train
        lazy = datasets.image_folder(pictures, 64, lazy=True, cache=tmp_path).train
        np.testing.assert_array_equal(lazy.take(np.arange(20))[0], eager.x[:20])
        for child in children:
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
        lazy = datasets.image_folder(pictures, 64, lazy=True, cache=tmp_path).train
        np.testing.assert_array_equal(lazy.x, eager.x)
        (tmp_path / "train-64x64x3").unlink()


def test_a_full_disk_costs_time_only(pictures, monkeypatch, decoded):
    lazy = datasets.image_folder(pictures, 6, lazy=True)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwritev", full)
    with pytest.warns(UserWarning, match="cannot be kept .*No space left") as caught:
        first, second = lazy.train[:][0], lazy.train[:][0]
    assert len(caught) == 1
    np.testing.assert_array_equal(first, second)
    assert len(decoded) == 2 * len(lazy.train)


def test_no_room_or_no_permission(pictures, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="cannot be kept"):
        datasets.image_folder(pictures, 6, lazy=True, cache=tmp_path / "file" / "kept")
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0)
    )
    with pytest.warns(UserWarning, match="would take 0.0 GB more"):
        lazy = datasets.image_folder(pictures, 6, lazy=True, cache=tmp_path / "kept")
    assert lazy.train.x.shape == (61, 6, 6, 3)


def test_a_pipe_in_the_place_of_the_file(pictures, tmp_path, decoded):
    os.mkfifo(tmp_path / "train-6x6x3")
    with pytest.warns(UserWarning, match="train-6x6x3, .*: it is no regular file"):
        lazy = datasets.image_folder(pictures, 6, lazy=True, cache=tmp_path)
    np.testing.assert_array_equal(lazy.train[:][0], lazy.train[:][0])
    assert len(decoded) == 2 * len(lazy.train)


def test_what_cannot_be_read_is_decoded(pictures, monkeypatch, decoded):
    lazy = datasets.image_folder(pictures, 6, lazy=True)
    first = lazy.train[:][0]

    def failing(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    np.testing.assert_array_equal(lazy.train[:][0], first)
    assert len(decoded) == 2 * len(lazy.train)


def test_without_positioned_reads(pictures, monkeypatch, decoded):
    """As on Windows: nothing is kept."""
    monkeypatch.delattr(os, "preadv")
    train = datasets.image_folder(pictures, 6, lazy=True).train
    np.testing.assert_array_equal(train[:][0], train[:][0])
    assert len(decoded) == 2 * len(train)


def test_size_of_the_first_picture(tmp_path):
    for number, shape in enumerate([(4, 6), (4, 6), (6, 4)]):
        path = tmp_path / "a" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full(shape, 9, np.uint8)).save(path)
    train = datasets.image_folder(tmp_path, lazy=True).train
    assert train.take(np.arange(2))[0].shape == (2, 4, 6, 1)
    with pytest.raises(DataError, match=r"2\.png has \(6, 4\) pixels, others have"):
        train.take(np.array([2]))


@pytest.mark.parametrize("where", ["beginning", "end"])
def test_damaged_picture_is_named(pictures, where):
    """When it is used, through a loader with several threads too."""
    file = pictures / "train" / "dog" / "04.png"
    content = file.read_bytes()
    file.write_bytes(b"x" + content if where == "beginning" else content[:-30])
    train = datasets.image_folder(pictures, 6, lazy=True).train
    train.take(np.array([0]))
    with pytest.raises(DataError, match=r"dog/04\.png cannot be read as a picture"):
        list(DataLoader(train, 4, workers=3))


def test_wrong_folder(pictures, tmp_path):
    with pytest.raises(DataError, match="no folder"):
        datasets.image_folder(tmp_path / "none", lazy=True)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no training pictures"):
        datasets.image_folder(tmp_path / "none", lazy=True)
    shutil.move(pictures / "test" / "dog", pictures / "test" / "cow")
    with pytest.raises(DataError, match=r"cow/\S*: no training picture has this class"):
        datasets.image_folder(pictures, lazy=True)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_size_that_is_too_large(pictures, lazy):
    """It is not blamed on a picture."""
    message = r"image_folder: size: pictures of 99999999 x 9 are too large"
    with pytest.raises(DataError, match=message):
        datasets.image_folder(pictures, (99999999, 9), lazy=lazy)


def test_picture_turned_coloured(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(2):
        Image.new("L", (4, 4)).save(tmp_path / "a" / f"{number}.png")
    train = datasets.image_folder(tmp_path, lazy=True).train
    Image.new("RGB", (4, 4)).save(tmp_path / "a" / "1.png")
    with pytest.raises(DataError, match=r"1\.png is in colour now, but was grey"):
        train.take(np.arange(2))


def test_x_is_an_array_only_if_it_is_small(pictures, monkeypatch):
    train = datasets.image_folder(pictures, 6, lazy=True).train
    assert train.x.nbytes == 61 * 6 * 6 * 3
    monkeypatch.setattr(dataset_module, "most_memory", lambda: 6000)
    for part in (train, Subset(train, slice(1, 61))):
        with pytest.raises(DataError, match="too much for one array; take"):
            _ = part.x
    assert Subset(train, [4, 5]).x.shape == (2, 6, 6, 3)


# At work ------------------------------------------------------------------------------


def test_parts_and_loaders_are_those_of_arrays(pictures):
    """S24: splits, strata, subsets; the same order for any number of workers."""
    epochs = {}
    for lazy in (False, True):
        for workers in (1, 4):
            train = datasets.image_folder(pictures, 6, lazy=lazy, cache=False).train
            part, _ = data.split(train, (0.7, 0.3), seed=1, stratify=True)
            loader = DataLoader(
                Subset(part, slice(1, None)), 8, shuffle=True, seed=2, workers=workers
            )
            epochs[lazy, workers] = [list(loader) for _ in range(2)]
    for others in epochs.values():
        for mine, expected in zip(others, epochs[False, 1], strict=True):
            for batch, right in zip(mine, expected, strict=True):
                np.testing.assert_array_equal(batch[0], right[0])
                np.testing.assert_array_equal(batch[1], right[1])


def test_a_copy_works_on_its_own(pictures, decoded):
    train = datasets.image_folder(pictures, 6, lazy=True).train
    expected = train.x
    copies = [copy.deepcopy(train), pickle.loads(pickle.dumps(train))]
    del train
    gc.collect()
    decoded.clear()
    for each in copies:
        np.testing.assert_array_equal(each.x, expected)
    assert not decoded


def fitted(train, dev, **options):
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(None, 2))
    trainer = fastdl.Trainer(model)
    trainer.fit(train, validation=dev, progress=False, **options)
    return trainer


def test_training_and_resuming_is_that_of_arrays(pictures, tmp_path):
    eager = datasets.image_folder(pictures, 6)
    expected = fitted(eager.train, eager.dev, epochs=4)
    path = tmp_path / "checkpoint"
    for epochs, resume in ((2, False), (4, True)):
        splits = datasets.image_folder(pictures, 6, lazy=True)
        trainer = fitted(
            splits.train, splits.dev, epochs=epochs, checkpoint=path, resume=resume
        )
    for name, weight in expected.model.state_dict().items():
        np.testing.assert_array_equal(trainer.model.state_dict()[name], weight)
    assert trainer.evaluate(splits.test) == expected.evaluate(eager.test)
    Image.new("RGB", (20, 20), (1, 2, 3)).save(pictures / "train" / "dog" / "03.jpg")
    changed = datasets.image_folder(pictures, 6, lazy=True)
    with pytest.raises(fastdl.FastdlError, match="data"):
        fitted(changed.train, changed.dev, epochs=4, checkpoint=path, resume=True)


def test_run_of_the_command(pictures, tmp_path, capsys, monkeypatch):
    """S34: the same bits as in memory, and the run can be looked at."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    folders = [tmp_path / "eager", tmp_path / "lazy", tmp_path / "again"]
    argv = ["train", str(pictures), "--size", "6,6", "--model", "mlp", "--epochs", "2"]
    assert main([*argv, "--out", str(folders[0])]) == 0
    assert main([*argv, "--lazy", "--out", str(folders[1])]) == 0
    config = str(folders[1] / "config.json")
    assert main(["train", "--config", config, "--out", str(folders[2])]) == 0
    capsys.readouterr()
    weights = [RunFolder(folder).model.read_bytes() for folder in folders]
    assert weights[0] == weights[1] == weights[2]
    assert [open_run(folder).job.lazy for folder in folders] == [False, True, True]
    analyses = [ErrorAnalysis.of_run(folder) for folder in folders]
    np.testing.assert_array_equal(analyses[0].x, analyses[1].x)
    for command in (("evaluate", folders[1], pictures), ("diagnose", folders[1])):
        assert main([str(word) for word in command]) == 0


@pytest.mark.parametrize("part", ["dev", "test"])
def test_a_damaged_picture_is_found_before_the_training(
    part, pictures, tmp_path, capsys
):
    file = pictures / part / "dog" / "04.png"
    file.write_bytes(file.read_bytes()[:-30])
    argv = ["train", str(pictures), "--size", "6,6", "--lazy", "--model", "mlp"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "epoch" not in error
    assert f"{part}/dog/04.png cannot be read as a picture" in error
    assert not (tmp_path / "run").exists()


def test_a_large_test_set_does_not_fail_after_training(pictures, tmp_path, monkeypatch):
    """The pictures of the mistakes are few, and so is what the report shows."""
    monkeypatch.setattr(dataset_module, "most_memory", lambda: 100)
    argv = ["train", str(pictures), "--size", "6,6", "--model", "logistic"]
    assert main([*argv, "--epochs", "1", "--lazy", "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "mistakes.png").exists()
    assert "too much for one array" in (tmp_path / "run" / "report.html").read_text()


def test_only_folders_are_lazy():
    with pytest.raises(ArgumentError, match="digits fits into memory; lazy is for"):
        Job("digits", lazy=True).load()
    with pytest.raises(ArgumentError, match="lazy must be true or false, got 'yes'"):
        Job("here", lazy="yes")


def test_nothing_is_said_when_all_is_well(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = datasets.image_folder(pictures, 6, lazy=True).train.x


def test_convolutions_learn_from_files(pictures):
    splits = datasets.image_folder(pictures, 8, lazy=True)
    trainer = fastdl.Trainer(models.create("convnet", classes=2))
    trainer.fit(splits.train, epochs=1, progress=False)
    assert len(trainer.history) == 1
