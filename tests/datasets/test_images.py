"""Folders of pictures, and CIFAR-10 as an archive of pictures."""

import builtins
import io
import itertools
import os
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

from fastdl import datasets
from fastdl.datasets import cifar10
from fastdl.datasets.images import read_image
from fastdl.errors import DataError, FastdlError, ShapeError

Image = pytest.importorskip("PIL.Image")


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    (image.convert(mode) if mode else image).save(path)


def grey(value, shape=(4, 6)):
    return np.full(shape, value)


def test_flat_folder_is_a_training_set(tmp_path):
    for label, value in (("dog", 10), ("cat", 20), ("ant", 30)):
        save(tmp_path / "pets" / label / "b.png", grey(value))
        save(tmp_path / "pets" / label / "a.PNG", grey(value + 1))
    splits = datasets.image_folder(tmp_path / "pets")
    assert splits.name == "pets"
    assert splits.classes == ("ant", "cat", "dog")
    assert splits.test is None
    assert splits.train.x.shape == (6, 4, 6, 1)
    assert splits.train.x.dtype == np.uint8
    assert splits.train.x[:, 0, 0, 0].tolist() == [31, 30, 21, 20, 11, 10]
    assert splits.train.y.tolist() == [0, 0, 1, 1, 2, 2]


def test_folder_with_train_and_test(tmp_path):
    for part, value in (("train", 1), ("test", 2)):
        for label in ("x", "y"):
            save(tmp_path / part / label / "0.png", grey(value))
    splits = datasets.image_folder(str(tmp_path))
    assert splits.train.x.max() == 1
    assert splits.test.x.min() == 2
    assert splits.test.y.tolist() == [0, 1]


def test_one_coloured_picture_makes_all_rgb(tmp_path):
    save(tmp_path / "a" / "grey.png", grey(7))
    save(tmp_path / "a" / "red.png", np.broadcast_to([200, 0, 0], (4, 6, 3)))
    x = datasets.image_folder(tmp_path).train.x
    np.testing.assert_array_equal(x[:, 0, 0], [[7, 7, 7], [200, 0, 0]])


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ((2, 3), (2, 3))])
def test_resize(size, shape, tmp_path):
    save(tmp_path / "a" / "0.png", grey(50))
    save(tmp_path / "a" / "1.png", grey(60, (9, 5)))
    x = datasets.image_folder(tmp_path, size).train.x
    assert x.shape == (2, *shape, 1)
    assert np.unique(x).tolist() == [50, 60]


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGBA", 3)]
)
def test_modes(mode, channels, tmp_path):
    path = tmp_path / "picture.png"
    save(path, grey(255), mode)
    pixels = read_image(path)
    assert pixels.shape == (4, 6, channels)
    assert (pixels == 255).all()


def test_hidden_and_other_files_are_left_out(tmp_path):
    save(tmp_path / "a" / "0.png", grey(1))
    save(tmp_path / ".trash" / "0.png", grey(1))
    save(tmp_path / "a" / ".0.png", grey(1))
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "empty").mkdir()
    splits = datasets.image_folder(tmp_path)
    assert splits.classes == ("a",)
    assert len(splits.train) == 1


def wrong_folder(tmp_path, case):
    save(tmp_path / "train" / "a" / "0.png", grey(1))
    if case == "sizes":
        save(tmp_path / "train" / "a" / "1.png", grey(1, (6, 4)))
    elif case == "test size":
        save(tmp_path / "test" / "a" / "0.png", grey(1, (6, 4)))
    elif case == "test class":
        save(tmp_path / "test" / "b" / "0.png", grey(1))
    elif case == "16 bits":
        path = tmp_path / "train" / "a" / "1.png"
        Image.fromarray(np.full((4, 6), 999, np.uint16)).save(path)
    elif case == "text":
        (tmp_path / "train" / "a" / "1.png").write_text("no picture")
    elif case == "cut off":
        picture = tmp_path / "train" / "a" / "1.png"
        save(picture, np.random.default_rng(0).integers(0, 256, (4, 6)))
        picture.write_bytes(picture.read_bytes()[:50])
    elif case == "unknown suffix":
        save(tmp_path / "train" / "b" / "0.png", grey(1))
        save(tmp_path / "train" / "c" / "0.tif", grey(1))
    elif case == "not UTF-8":
        save(tmp_path / "train" / "b\udcff" / "0.png", grey(1))
    elif case == "control":
        save(tmp_path / "train" / "b\x1b[31m" / "0.png", grey(1))
    elif case == "lines":
        save(tmp_path / "train" / "b\nc" / "0.png", grey(1))
    elif case == "PostScript":
        (tmp_path / "train" / "a" / "1.png").write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\n"
        )
    elif case == "empty":
        (tmp_path / "train" / "a" / "0.png").unlink()


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("sizes", r"1\.png has \(6, 4\) pixels, others have \(4, 6\); resize all"),
        ("test size", r"test.a.0\.png has \(6, 4\)"),
        ("test class", "no training picture has this class"),
        ("16 bits", r"1\.png has more than 8 bits"),
        ("text", r"1\.png cannot be read as a picture"),
        ("cut off", r"1\.png cannot be read as a picture"),
        (
            "PostScript",
            r"1\.png cannot be read as a picture: it is damaged, or",
        ),
        ("unknown suffix", r"no picture in .*train.c; files that end with \.bmp, "),
        ("not UTF-8", r"b\\udcff' is not in UTF-8"),
        ("control", r"b\\x1b\[31m' is not in UTF-8, or has a control character"),
        ("lines", r"b\\nc' .* control character; rename it"),
        ("empty", "no training pictures"),
    ],
)
def test_wrong_folders(case, message, tmp_path):
    wrong_folder(tmp_path, case)
    with pytest.raises(DataError, match=message):
        datasets.image_folder(tmp_path)


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        datasets.image_folder(tmp_path / "nowhere")


def test_bad_size(tmp_path):
    with pytest.raises(ShapeError, match="image_folder: size"):
        datasets.image_folder(tmp_path, 0)


def test_without_pillow(tmp_path, monkeypatch):
    save(tmp_path / "a" / "0.png", grey(1))
    real_import = builtins.__import__

    def no_pillow(name, *arguments, **keywords):
        if name == "PIL":
            raise ImportError(name)
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", no_pillow)
    with pytest.raises(FastdlError, match=r'pip install "fastdl-cpu\[image\]"'):
        datasets.image_folder(tmp_path)


def test_the_import_loads_nothing_heavy():
    script = """
        import sys
        import fastdl.datasets
        heavy = {"PIL", "tqdm", "tarfile", "http.client", "urllib.request"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(Path(datasets.__file__).parents[2])},
        check=True,
    )


# CIFAR-10 ----------------------------------------------------------------------------


def write_archive(path, classes=cifar10._CLASSES, parts=("train", "test"), size=32):
    """Write two pictures a class, grey 10 * label, in the reverse of the order."""
    with tarfile.open(path, "w:gz") as tar:
        for part in parts:
            for label, name in reversed(list(enumerate(classes))):
                for number in (1, 0):
                    file = io.BytesIO()
                    pixels = np.full((size, size, 3), 10 * label + number, np.uint8)
                    Image.fromarray(pixels).save(file, "JPEG")
                    member = tarfile.TarInfo(f"./{part}/{name}/{number:04}.jpg")
                    member.size = file.tell()
                    file.seek(0)
                    tar.addfile(member, file)
        tar.addfile(tarfile.TarInfo("README.md"))


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "cifar"
    folder.mkdir()
    return folder / "cifar10_images_jpg.tar.gz"


def test_cifar10_is_decoded_once(archive, cache, monkeypatch):
    write_archive(archive)
    splits = datasets.load("cifar10", archive.parent)
    assert splits.classes[3] == "cat"
    for part in (splits.train, splits.test):
        assert part.x.shape == (20, 32, 32, 3)
        assert part.y.tolist() == [label for label in range(10) for _ in range(2)]
        assert part.x[:, 0, 0, 0].tolist() == [
            10 * label + number for label in range(10) for number in (0, 1)
        ]
    (kept,) = (cache / "cifar10").iterdir()

    def decode(*arguments):
        raise AssertionError

    monkeypatch.setattr(cifar10, "decode", decode)
    again = datasets.load("cifar10", archive.parent)
    np.testing.assert_array_equal(again.train.x, splits.train.x)
    np.testing.assert_array_equal(again.test.y, splits.test.y)

    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    kept.write_bytes(kept.read_bytes()[:1000])  # damaged: decoded and kept again
    datasets.load("cifar10", archive.parent)
    assert kept.stat().st_size > 1000


def test_cifar10_another_archive_is_decoded_anew(archive, cache):
    for count in (1, 2):
        write_archive(archive, size=32)
        archive.write_bytes(archive.read_bytes() + bytes(count))  # another hash
        datasets.load("cifar10", archive.parent)
        assert len(list((cache / "cifar10").iterdir())) == count


def test_cifar10_works_without_a_cache(archive, cache):
    write_archive(archive)
    cache.touch()  # a file where the folder should be
    with pytest.warns(UserWarning, match="could not be kept"):
        splits = datasets.load("cifar10", archive.parent)
    assert len(splits.train) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": cifar10._CLASSES[:9]}, "with the classes .*truck; has airplane"),
        ({"parts": ("train",)}, "and no test/"),
        ({"parts": ("test",)}, "no training pictures"),
        ({"size": 16}, r"jpg has \(16, 16\) pixels, expected \(32, 32\)"),
    ],
    ids=["class missing", "no test", "no train", "size"],
)
def test_cifar10_wrong_archive(options, message, archive, cache):
    write_archive(archive, **options)
    with pytest.raises(DataError, match=message):
        datasets.load("cifar10", archive.parent)


def test_cifar10_more_pictures_than_there_are(archive, cache, monkeypatch):
    write_archive(archive)
    monkeypatch.setattr(cifar10, "_MOST_PICTURES", 39)
    with pytest.raises(DataError, match="has more than 39 pictures"):
        datasets.load("cifar10", archive.parent)


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.9])
def test_cifar10_cut_off_archive(keep, archive, cache):
    write_archive(archive)
    content = archive.read_bytes()
    archive.write_bytes(content[: keep if keep > 1 else int(keep * len(content))])
    with pytest.raises(DataError, match="cannot be read"):
        datasets.load("cifar10", archive.parent)


def test_cifar10_real_pictures(real_data, cache):
    """The first pictures of the real archive; all 60,000 take seconds."""
    archive = real_data("cifar10") / "cifar10_images_jpg.tar.gz"
    pictures = list(itertools.islice(cifar10._pictures(archive), 50))
    for number, picture in enumerate(pictures):
        assert picture.name == f"test/airplane/{number:04}.jpg"
        assert picture.label == "airplane"
        assert picture.pixels.shape == (32, 32, 3)
        assert picture.pixels.std() > 5
