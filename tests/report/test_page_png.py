"""The PNG writer: what Pillow reads is what was written."""

import io

import numpy as np
import pytest

from fastdl.errors import DtypeError, ShapeError
from fastdl.report.png import encode_png


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 7), (9, 1), (28, 28), (1, 1, 3), (5, 4, 3), (64, 48, 3)]
)
@pytest.mark.parametrize("contiguous", [True, False])
def test_every_pixel_comes_back(shape, contiguous):
    Image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if not contiguous:
        pixels = pixels[::-1, ::-1]
    pixels.flags.writeable = False
    picture = Image.open(io.BytesIO(encode_png(pixels)))
    picture.load()  # checks the checksums too
    assert picture.mode == ("L" if pixels.ndim == 2 else "RGB")
    assert (np.asarray(picture) == pixels).all()


def test_same_picture_same_bytes():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert encode_png(pixels) == encode_png(pixels.copy())
    assert len(encode_png(pixels)) < 150


@pytest.mark.parametrize(
    "shape", [(), (3,), (0, 4), (4, 0), (4, 4, 1), (4, 4, 4), (4, 4, 0), (2, 4, 4, 3)]
)
def test_what_is_no_picture(shape):
    with pytest.raises(ShapeError, match=r"\(h, w\) or \(h, w, 3\), got"):
        encode_png(np.zeros(shape, np.uint8))


def test_real_numbers():
    with pytest.raises(DtypeError, match="must be uint8, got float32"):
        encode_png(np.zeros((4, 4), np.float32))
