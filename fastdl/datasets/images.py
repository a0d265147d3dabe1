"""Pictures in files, one by one."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import IO, TYPE_CHECKING

import numpy as np

from fastdl.errors import DataError, FastdlError
from fastdl.files import read_file, reading
from fastdl.typing import Shape, StrPath

if TYPE_CHECKING:
    from PIL.Image import Image as OpenPicture

# A picture of this many pixels takes little memory, so any file may declare it. A
# larger one must have a file to match: 8 pixels a byte, deflated 1032 times, is the
# most that PNG can do.
_FEW_PIXELS = 2**24
_PIXELS_A_BYTE = 8 * 1032

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"))
# Only these: for some others Pillow would start external programs, whatever the suffix.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_GREY = ("1", "L", "LA")  # modes of Pillow


def read_image(
    file: StrPath | IO[bytes],
    size: tuple[int, int] | None = None,
    name: str | None = None,
    only: tuple[int, int] | None = None,
) -> np.ndarray:
    """Read one picture.

    Parameters
    ----------
    file : path or open file
        The picture.
    size : (int, int), optional
        Height and width to which it is resized (bicubic, with antialiasing). A JPEG of
        at least twice that is decoded at 1/2, 1/4 or 1/8 of its size, which takes a
        fraction of the time and changes pixels by about 1 of 255 on average.
    name : str, optional
        What messages call an open file.
    only : (int, int), optional
        Height and width that it must have.

    Returns
    -------
    ndarray of uint8, (h, w, c)
        c is 1 for a grey picture, else 3. Transparency is dropped.

    Raises
    ------
    DataError
        When it cannot be read, has more than 8 bits per value, does not have the height
        and width `only`, or has more pixels than a file of its length can hold or than
        ``PIL.Image.MAX_IMAGE_PIXELS`` allows; or `size` has more than that.
    FastdlError
        When Pillow is missing.
    """
    name = name or str(file)
    if size is not None:
        check_size(size)
    with _opened(file, name, only) as image:
        from PIL.Image import Resampling

        mode = image.mode
        box = None
        if size is not None:
            # Only decoders of JPEG do this. The box is the picture in the draft, whose
            # last row and column may lie beyond it in part.
            _, box = image.draft(None, size[::-1]) or (None, None)
        pixels = image.convert("L" if mode in _GREY else "RGB")
        if size is not None:
            pixels = pixels.resize(size[::-1], Resampling.BICUBIC, box)
    if mode.startswith(("I", "F")):  # clipped by convert, not scaled
        raise DataError(f"{name} has more than 8 bits per value; make it 8-bit")
    return np.atleast_3d(np.asarray(pixels))


def picture_shape(file: StrPath) -> tuple[int, int, int]:
    """Return height, width and channels of a picture, without decoding it.

    Raises like `read_image`.
    """
    with _opened(file, str(file)) as image:
        return image.height, image.width, 1 if image.mode in _GREY else 3


def check_size(size: tuple[int, int]) -> None:
    """Raise DataError unless pictures may be resized to this height and width."""
    largest = _pillow().MAX_IMAGE_PIXELS or math.inf
    if math.prod(size) > largest:
        raise DataError(
            f"size: pictures of {size[0]} x {size[1]} are too large; "
            f"PIL.Image.MAX_IMAGE_PIXELS allows {largest:,} pixels"
        )


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError:
        raise FastdlError(
            'reading pictures needs Pillow: pip install "fastdl-cpu[image]"'
        ) from None
    return Image


@contextmanager
def _opened(
    file: StrPath | IO[bytes], name: str, only: tuple[int, int] | None = None
) -> Iterator[OpenPicture]:
    """Open a picture, as described for `read_image`; errors inside the block name it.

    A small file may contain a very large picture, so its size is checked here, before
    it is decoded.
    """
    pillow = _pillow()
    with reading(name, "as a picture"):
        content = _content(file)
        try:
            opened = pillow.open(io.BytesIO(content), formats=_FORMATS)
        except pillow.UnidentifiedImageError:  # its message does not name the file
            raise DataError(
                f"{name} cannot be read as a picture: it is damaged, or none of "
                f"{', '.join(_FORMATS)}"
            ) from None
    with reading(name, "as a picture"), opened as image:
        if only is not None and (image.height, image.width) != only:
            raise DataError(
                f"{name} has {(image.height, image.width)} pixels, expected {only}"
            )
        largest = pillow.MAX_IMAGE_PIXELS or math.inf
        limit = min(max(_FEW_PIXELS, _PIXELS_A_BYTE * len(content)), largest)
        if image.height * image.width > limit:
            raise DataError(
                f"{name} is too large a picture: the length of its file and "
                f"PIL.Image.MAX_IMAGE_PIXELS allow {limit:,} pixels"
            )
        yield image


def _content(file: StrPath | IO[bytes]) -> bytes:
    """Read the whole file: on an open one, decoders read as much as it declares."""
    if isinstance(file, (str, os.PathLike)):
        return read_file(file)
    return file.read()


def other_size(name: str, shape: Shape, expected: Shape) -> DataError:
    """Return the error about a picture of another size than the first one."""
    return DataError(
        f"{name} has {shape[:2]} pixels, others have {expected[:2]}; resize all, such "
        f"as with size=64 (--size 64)"
    )
