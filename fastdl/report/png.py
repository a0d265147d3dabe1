"""Pictures as PNG files, without Pillow: pages show them wherever fastdl runs."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from fastdl.errors import DtypeError, ShapeError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # colour types of the format


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a picture as the content of a PNG file.

    Parameters
    ----------
    pixels : ndarray of uint8, (h, w) or (h, w, 3)
        Grey or red, green and blue; h, w >= 1.

    Raises
    ------
    DtypeError, ShapeError
        `pixels` is not such a picture.

    References
    ----------
    Portable Network Graphics (PNG) Specification, W3C: datastream structure (5),
    IHDR (11.2.1), filter type 0 (9.2).
    """
    if pixels.dtype != np.uint8:
        raise DtypeError(f"encode_png: pixels must be uint8, got {pixels.dtype}")
    if pixels.shape[2:] not in ((), (3,)) or pixels.ndim < 2 or not pixels.size:
        raise ShapeError(
            f"encode_png: expected pixels of shape (h, w) or (h, w, 3), got "
            f"{pixels.shape}"
        )
    height, width = pixels.shape[:2]
    colour = _GREY if pixels.ndim == 2 else _RGB
    # Each row of bytes comes after the number of its filter: 0, none.
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
