"""Folders of pictures, and CIFAR-10 as an archive of pictures."""

import builtins
import io
import itertools
import os
import re
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
from fastdl.errors import ArgumentError, DataError, FastdlError, ShapeError

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


def test_cifar10_broken_picture(archive, cache):
    """The message names the archive and the picture in it."""
    write_archive(archive, size=31)
    picture = re.escape(f"{archive}: ./train/truck/0001.jpg")
    with pytest.raises(DataError, match=rf"^{picture} has \(31, 31\) pixels"):
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


# Broken pictures left out ------------------------------------------------------------


@pytest.fixture
def some_broken(tmp_path):
    """Of 20 pictures a cut-off one, a text, an empty file and one of 16 bits."""
    root = tmp_path / "pets"
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("test", 2)):
        for label in ("cat", "dog"):
            for number in range(count):
                pixels = rng.integers(0, 256, (9, 9, 3))
                save(root / part / label / f"{number}.png", pixels)
    cut = root / "train" / "cat" / "3.png"
    cut.write_bytes(cut.read_bytes()[:150])
    (root / "train" / "dog" / "0.png").write_text("no picture")
    (root / "test" / "cat" / "0.png").write_bytes(b"")
    deep = Image.fromarray(np.full((9, 9), 999, np.uint16))
    deep.save(root / "train" / "cat" / "0.png")
    return root


BROKEN = ("train/cat/0.png", "train/cat/3.png", "train/dog/0.png", "test/cat/0.png")


@pytest.mark.parametrize("lazy", [False, True])
def test_broken_pictures_are_counted_and_named(lazy, some_broken, cache):
    with pytest.warns(UserWarning, match="4 of 20 pictures cannot be read") as caught:
        splits = datasets.image_folder(some_broken, 6, lazy=lazy, errors="skip")
    assert len(caught) == 1
    text = str(caught[0].message)
    assert sorted(splits.skipped) == sorted(str(some_broken / name) for name in BROKEN)
    for name, reason in splits.skipped.items():
        assert name in reason
        assert reason in text
    for name in BROKEN:
        (some_broken / name).unlink()
    whole = datasets.image_folder(some_broken, 6)
    assert whole.skipped == {}
    assert splits.classes == whole.classes
    for part, expected in ((splits.train, whole.train), (splits.test, whole.test)):
        np.testing.assert_array_equal(part.x, expected.x)
        np.testing.assert_array_equal(part.y, expected.y)


def test_lazily_they_are_looked_for_once(some_broken, cache, monkeypatch):
    """The next time all others come from the cache."""
    from fastdl.datasets import lazy

    with pytest.warns(UserWarning, match="left out"):
        first = datasets.image_folder(some_broken, 6, lazy=True, errors="skip")
    decoded = []
    read_image = lazy.read_image

    def reading(file, *arguments):
        decoded.append(file)
        return read_image(file, *arguments)

    monkeypatch.setattr(lazy, "read_image", reading)
    with pytest.warns(UserWarning, match="left out"):
        again = datasets.image_folder(some_broken, 6, lazy=True, errors="skip")
    np.testing.assert_array_equal(again.train.x, first.train.x)
    assert set(decoded) <= {str(some_broken / name) for name in BROKEN}


def test_many_broken_pictures_are_counted(some_broken):
    for number in (1, 2, 4, 5, 6):
        (some_broken / "train" / "cat" / f"{number}.png").write_text("")
    (some_broken / "train" / "dog" / "1.png").write_text("")
    with pytest.warns(
        UserWarning, match=r"(?s)10 of 20 .*\n  and 5 more; \.skipped names"
    ):
        splits = datasets.image_folder(some_broken, errors="skip")
    assert len(splits.skipped) == 10


def test_nothing_broken_is_no_warning(tmp_path):
    save(tmp_path / "a" / "0.png", grey(1))
    assert datasets.image_folder(tmp_path, errors="skip").skipped == {}


@pytest.mark.parametrize("lazy", [False, True])
def test_skipping_hides_nothing_else(lazy, some_broken, tmp_path, cache):
    for file in (some_broken / "train" / "dog").iterdir():
        file.write_text("")
    with pytest.raises(DataError, match="of the class 'dog' no training picture"):
        datasets.image_folder(some_broken, lazy=lazy, errors="skip")
    for number, shape in enumerate([(4, 6), (6, 4)]):
        save(tmp_path / "sizes" / "a" / f"{number}.png", grey(1, shape))
    with pytest.raises(DataError, match=r"1\.png has \(6, 4\) pixels, others have"):
        datasets.image_folder(tmp_path / "sizes", lazy=lazy, errors="skip")
    with pytest.raises(ArgumentError, match=r"errors must be 'raise' or .*mean 'skip'"):
        datasets.image_folder(some_broken, lazy=lazy, errors="skipp")


# Drafts of JPEG ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (60, 45), (200, 10), (250, 187)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_reduced_while_it_is_decoded(size, mode, tmp_path):
    """It looks as if it were decoded whole, nearly: smooth pictures, sides not of 8."""
    place = np.mgrid[0:375, 0:501] / 40
    pixels = 127 + 60 * np.sin(place[0])[..., None] * np.cos(
        place[1][..., None] + [0, 1, 2]
    )
    image = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
    image.save(tmp_path / "a.jpg", quality=95)
    drafted = read_image(tmp_path / "a.jpg", size).astype(int)
    with Image.open(tmp_path / "a.jpg") as whole:
        whole.convert("L" if mode == "L" else "RGB").save(tmp_path / "whole.png")
    exact = read_image(tmp_path / "whole.png", size)
    assert drafted.shape == exact.shape == (*size, 1 if mode == "L" else 3)
    assert np.abs(drafted - exact).mean() < 1
    assert np.abs(drafted - exact).max() < 10


def test_a_small_jpeg_is_decoded_whole(tmp_path):
    save(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (30, 30, 3)))
    with Image.open(tmp_path / "a.jpg") as image:
        exact = image.resize((20, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", (16, 20)), exact)
