"""What reads data sets, and mutants of them."""

import gzip
import hashlib
import io
import tarfile
import warnings
import zipfile
from unittest import mock

import numpy as np
from PIL import Image

from fastdl.datasets import PictureFiles, cifar10, image_folder
from fastdl.datasets.files import download
from fastdl.datasets.idx import read_idx
from fastdl.datasets.images import picture_shape, read_image
from fastdl.datasets.npz import read_npz
from tests.files.hostile import mutate

PIXELS = np.random.default_rng(0).integers(0, 9, (9, 8, 3), np.uint8)


def archive_of_pictures():
    """Return a tar with a picture of each class in each part, all the same."""
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "JPEG")
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for part in ("train", "test"):
                for name in cifar10._CLASSES:
                    member = tarfile.TarInfo(f"{part}/{name}/{'0' * 99}.jpg")
                    member.size = len(picture.getvalue())
                    tar.addfile(member, io.BytesIO(picture.getvalue()))
        return file.getvalue()


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind, **options)
    return file.getvalue()


def zipped(members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


class _Answer(io.BytesIO):
    """What a server sends, and the length that it declares."""


class Pictures:
    """For each format a file that is whole, and what reads a mutant of it."""

    guarded = ("idx_deflated", "npz_stored", "npz_deflated", "tar_deflated",
               "png", "downloaded")  # fmt: skip
    slow = ("tar_inflated", "tar_headers")
    never_raise = ("kept_pictures",)

    def __init__(self, folder):
        self.path = folder / "file"
        self.idx = b"\0\0\10\3" + b"\0\0\0\3" * 3 + bytes(range(27))
        rng = np.random.default_rng(0)
        self.arrays = {}
        for part in ("train", "test"):
            for name, array in (
                (f"x_{part}", rng.integers(0, 9, (3, 4, 4), np.uint8)),
                (f"y_{part}", np.arange(3)),
            ):
                file = io.BytesIO()
                np.save(file, array)
                self.arrays[name] = file.getvalue()
        self.tar = archive_of_pictures()
        grey = Image.new("L", (8, 9))
        self.pictures = {
            "PNG": encoded("PNG"),
            "JPEG": encoded("JPEG", progressive=True),
            "BMP": encoded("BMP"),
            "GIF": encoded("GIF", save_all=True, append_images=[grey]),
            "WEBP": encoded("WEBP"),
        }
        self.root = folder / "pets"
        for name in ("cat", "dog"):
            (self.root / name).mkdir(parents=True)
            for number in range(2):
                file = self.root / name / f"{number}.png"
                file.write_bytes(self.pictures["PNG"])
        self.victim = file
        files = sorted(self.root.glob("*/*.png"))
        self.labels = np.arange(len(files)) % 2
        self.files = files
        self.kept = folder / "kept"
        PictureFiles(files, self.labels, (9, 8, 3), cache=self.kept).take(np.arange(4))
        (self.slots,) = folder.glob("kept-*")
        self.kept_file = self.slots.read_bytes()

    def put(self, content):
        self.path.write_bytes(content)

    # Each method reads one mutant.

    def idx_inflated(self, rng):
        self.put(gzip.compress(mutate.content(self.idx, rng), 1))
        read_idx(self.path, axes=3)

    def idx_deflated(self, rng):
        self.put(mutate.content(gzip.compress(self.idx), rng))
        read_idx(self.path, axes=3)

    def npz_inflated(self, rng):
        members = dict(self.arrays)
        name = rng.choice(list(members))
        members[name] = mutate.content(members[name], rng)
        self.put(
            zipped(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
        )
        read_npz(self.path, (4, 4), classes=3)

    def npz_stored(self, rng):
        self.put(mutate.content(zipped(self.arrays, zipfile.ZIP_STORED), rng))
        read_npz(self.path, (4, 4), classes=3)

    def npz_deflated(self, rng):
        self.put(mutate.content(zipped(self.arrays), rng))
        read_npz(self.path, (4, 4), classes=3)

    def tar_inflated(self, rng):
        self.put(gzip.compress(mutate.content(self.tar, rng), 1))
        cifar10.decode(self.path, "mutant")

    def tar_headers(self, rng):
        self.put(gzip.compress(mutate.tar(self.tar, rng), 1))
        cifar10.decode(self.path, "mutant")

    def tar_deflated(self, rng):
        self.put(mutate.content(gzip.compress(self.tar, 1), rng))
        cifar10.decode(self.path, "mutant")

    def png(self, rng):
        self._picture(mutate.content(self.pictures["PNG"], rng), rng)

    def png_chunks(self, rng):
        self._picture(mutate.png(self.pictures["PNG"], rng), rng)

    def jpeg(self, rng):
        self._picture(mutate.content(self.pictures["JPEG"], rng), rng)

    def bmp(self, rng):
        self._picture(mutate.content(self.pictures["BMP"], rng), rng)

    def gif(self, rng):
        self._picture(mutate.content(self.pictures["GIF"], rng), rng)

    def webp(self, rng):
        self._picture(mutate.content(self.pictures["WEBP"], rng), rng)

    def _picture(self, content, rng):
        self.put(content)
        picture_shape(self.path)
        read_image(self.path, rng.choice((None, (3, 5))))

    def folder_of_pictures(self, rng):
        kind = rng.choice(list(self.pictures))
        self.victim.write_bytes(mutate.content(self.pictures[kind], rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image_folder(
                self.root,
                rng.choice((None, 4)),
                lazy=rng.random() < 0.5,
                cache=False,
                errors=rng.choice(("raise", "skip")),
            )

    def kept_pictures(self, rng):
        """Damaged ones are decoded again, never given."""
        self.victim.write_bytes(self.pictures["PNG"])
        self.slots.write_bytes(mutate.content(self.kept_file, rng))
        again = PictureFiles(self.files, self.labels, (9, 8, 3), cache=self.kept)
        x, _ = again.take(np.arange(4))
        np.testing.assert_array_equal(x, np.broadcast_to(PIXELS, x.shape))

    def downloaded(self, rng):
        content = mutate.content(gzip.compress(self.idx), rng)
        answer = _Answer(content)
        answer.length = rng.choice((None, len(content), 9))
        with mock.patch("urllib.request.urlopen", return_value=answer):
            download("http://x/", self.path, hashlib.sha256(self.idx).hexdigest())
