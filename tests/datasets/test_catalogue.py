"""Data sets by name: where files are looked for, and the real contents."""

import gzip
import re
import shutil

import numpy as np
import pytest

from fastdl import datasets
from fastdl.datasets import files
from fastdl.datasets.files import DataFolder
from fastdl.errors import ArgumentError, DataError


def test_names():
    assert datasets.names() == ["cifar10", "digits", "fashion_mnist", "mnist", "signs"]


@pytest.mark.parametrize("name", datasets.names())
def test_a_data_set_stands_in_the_table_of_load(name):
    assert re.search(rf"^ +{name} +[0-9]", datasets.load.__doc__, re.M)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", "unknown data set 'mnits'; did you mean 'mnist'"),
        ("DIGITS", "did you mean 'digits'"),
        ("imagenet21k", "choose from 'cifar10'"),
        (None, "unknown data set None"),
    ],
)
def test_unknown_name(name, message):
    with pytest.raises(ArgumentError, match=message):
        datasets.load(name)


def test_digits_are_inside_the_package(cache, monkeypatch):
    splits = datasets.load("digits", directory="/nowhere", download=False)
    assert splits.name == "digits"
    assert splits.classes == tuple("0123456789")
    assert splits.train.x.shape == (3823, 8, 8, 1)
    assert splits.test.x.shape == (1797, 8, 8, 1)
    for part in (splits.train, splits.test):
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        np.testing.assert_array_equal(np.unique(part.x), np.arange(17) / 16)
    # The counts of optdigits.names.
    assert np.bincount(splits.train.y).tolist() == [
        376, 389, 380, 389, 387, 376, 377, 387, 380, 382,
    ]  # fmt: skip
    assert np.bincount(splits.test.y).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip


def test_digits_are_small_and_attributed():
    folder = datasets.npz.DIGITS.parent
    attribution = folder / "ATTRIBUTION.txt"
    assert datasets.npz.DIGITS.stat().st_size + attribution.stat().st_size < 150_000
    text = attribution.read_text()
    for words in ("Alpaydin", "Kaynak", "CC BY 4.0", "10.24432/C50P49"):
        assert words in text


def test_digits_file_is_what_the_maker_makes(real_data, tmp_path):
    from fastdl.datasets._make_digits import make_digits

    folder = real_data("digits")
    made = tmp_path / "digits.npz"
    make_digits(folder / "optdigits.tra", folder / "optdigits.tes", made)
    with np.load(made) as new, np.load(datasets.npz.DIGITS) as shipped:
        assert set(new) == set(shipped)
        for name in new:
            np.testing.assert_array_equal(new[name], shipped[name])


@pytest.mark.parametrize(
    ("name", "shape", "train", "test"),
    [
        ("mnist", (28, 28, 1), 60_000, 10_000),
        ("fashion_mnist", (28, 28, 1), 60_000, 10_000),
        ("signs", (64, 64, 3), 1_080, 120),
    ],
)
def test_real_data(name, shape, train, test, real_data, cache):
    splits = datasets.load(name, real_data(name), download=False)
    for part, m in ((splits.train, train), (splits.test, test)):
        assert part.x.shape == (m, *shape)
        assert part.x.dtype == np.uint8
        assert part.y.dtype == np.int64
        assert np.unique(part.y).tolist() == list(range(len(splits.classes)))
        assert part.x.min() == 0
        assert part.x.max() == 255


def test_fashion_mnist_begins_with_an_ankle_boot(real_data, cache):
    splits = datasets.load("fashion_mnist", real_data("fashion_mnist"))
    assert splits.classes[splits.train.y[0]] == "Ankle boot"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_files_have_the_hashes_that_downloads_are_checked_for(
    name, real_data, cache, monkeypatch, tmp_path
):
    """Every url is asked for with the hash of the real file."""
    folder = real_data(name)
    asked = []

    def receive(url, file, file_name, limit):
        asked.append(url)
        file.write((folder / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(files, "_receive", receive)
    splits = datasets.load(name)
    assert len(splits.train) == 60_000
    assert len(asked) == 4
    assert len(list((cache / name).iterdir())) == 4
    datasets.load(name)
    assert len(asked) == 4  # found in the cache the second time


@pytest.mark.parametrize(
    ("name", "file", "advice"),
    [
        ("signs", "signs.npz", "it is not downloaded"),
        ("cifar10", "cifar10_images_jpg.tar.gz", "it is not downloaded"),
        ("mnist", "train-images-idx3-ubyte.gz", "or allow the download"),
    ],
)
def test_missing_file_says_what_belongs_where(name, file, advice, cache, monkeypatch):
    with pytest.raises(DataError, match=advice) as caught:
        datasets.load(name, download=False)
    assert file in str(caught.value)
    assert str(cache / name) in str(caught.value)
    monkeypatch.setenv("FASTDL_DATA_DIR", "/data")
    with pytest.raises(DataError, match=f"/data/{name} or {cache}/{name}"):
        datasets.load(name, download=False)
    with pytest.raises(DataError, match="into /there"):
        datasets.load(name, directory="/there", download=False)


def test_directory_then_data_dir_then_cache(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTDL_DATA_DIR", str(tmp_path / "data"))
    folders = [tmp_path / "own", tmp_path / "data" / "signs", cache / "signs"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "file").touch()
    own, usual = (DataFolder("signs", place, True) for place in (folders[0], None))
    assert own.find("file") == folders[0] / "file"
    assert usual.find("file") == folders[1] / "file"
    shutil.rmtree(folders[1])
    assert usual.find("file") == folders[2] / "file"
    (folders[0] / "file").unlink()
    with pytest.raises(DataError, match="own"):
        own.find("file")


def test_cache_folder_without_xdg(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert files.cache_folder() == tmp_path / ".cache" / "fastdl"


def write_idx(path, array, code=8):
    header = bytes((0, 0, code, array.ndim)) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def tiny_mnist(tmp_path):
    """Two training images and one test image as idx files."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, m in (("train", 2), ("t10k", 1)):
        images = np.arange(m * 6).reshape(m, 2, 3)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(m))
    return folder


def test_idx_files(tiny_mnist):
    splits = datasets.load("mnist", tiny_mnist)
    np.testing.assert_array_equal(splits.train.x[..., 0].ravel(), np.arange(12))
    assert splits.train.x.shape == (2, 2, 3, 1)
    assert splits.test.y.tolist() == [0]


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def inflated(change):
    return lambda path: path.write_bytes(
        gzip.compress(change(gzip.decompress(path.read_bytes())))
    )


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        (IMAGES, inflated(lambda b: b[:-1]), r"\(2, 2, 3\) = 12 bytes, but has 11"),
        (IMAGES, inflated(lambda b: b + b"x"), "12 bytes, but has more"),
        (IMAGES, inflated(lambda b: b[:9]), "cut off in its header"),
        (IMAGES, inflated(lambda b: b""), "begins with nothing"),
        (IMAGES, inflated(lambda b: b"\0\0\x0d\3" + b[4:]), "begins with 00 00 0d 03"),
        (IMAGES, inflated(lambda b: b"PK\3\4" + b[4:]), "no idx file"),
        (IMAGES, lambda p: p.write_bytes(p.read_bytes()[:-9]), "cannot be read"),
        (IMAGES, lambda p: p.write_bytes(b"<html>"), "cannot be read: Not a gzipped"),
        (IMAGES, lambda p: p.write_bytes(p.read_bytes()[:-8] + bytes(8)), "CRC check"),
        (LABELS, lambda p: write_idx(p, np.arange(3)), "2 images need as many"),
        (LABELS, lambda p: write_idx(p, np.array([0, 10])), "label 10, expected"),
        (LABELS, lambda p: write_idx(p, np.zeros((2, 1))), "uint8 with 1 axes"),
    ],
    ids=[
        "short", "long", "header cut off", "empty", "float32", "zip", "gzip cut off",
        "html", "gzip damaged", "label count", "label range", "label axes",
    ],
)  # fmt: skip
def test_damaged_idx_files(file, damage, message, tiny_mnist):
    damage(tiny_mnist / file)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("mnist", tiny_mnist)
    assert "\n" not in str(caught.value)
    assert str(tiny_mnist) in str(caught.value)


def save_signs(path, **changes):
    arrays = {
        "x_train": np.zeros((2, 64, 64, 3), np.uint8),
        "y_train": np.array([0, 5], np.uint8),
        "x_test": np.zeros((1, 64, 64, 3), np.uint8),
        "y_test": np.array([3], np.uint8),
        **changes,
    }
    np.savez_compressed(path, **{k: v for k, v in arrays.items() if v is not None})


def test_signs_archive(tmp_path):
    save_signs(tmp_path / "signs.npz")
    splits = datasets.load("signs", tmp_path)
    assert splits.train.y.tolist() == [0, 5]
    assert splits.train.y.dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "y_test"),
        ({"x_test": np.zeros((1, 64, 64), np.uint8)}, r"uint8 \(m, 64, 64, 3\)"),
        ({"x_test": np.zeros((1, 64, 64, 3))}, "got float64"),
        ({"y_train": np.array([0, 6])}, "label 6"),
        ({"y_train": np.array([0, -1])}, "label -1"),
        ({"y_train": np.array([0.0, 1.0])}, "integer labels, got float64"),
        ({"y_train": np.array([[0], [1]])}, "integer labels"),
        ({"y_train": np.array([0])}, "2 images need as many"),
        ({"y_train": np.array([0, None])}, "y_train holds Python objects"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_signs_archive(changes, message, tmp_path):
    """Also: an array of objects is refused, never unpickled."""
    save_signs(tmp_path / "signs.npz", **changes)
    with pytest.raises(DataError, match=message):
        datasets.load("signs", tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:60] + bytes(8) + content[68:],
    ],
    ids=["cut off", "empty", "changed"],
)
def test_damaged_signs_archive(damage, tmp_path):
    path = tmp_path / "signs.npz"
    save_signs(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"signs\.npz"):
        datasets.load("signs", tmp_path)
