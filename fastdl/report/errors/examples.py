"""How an example is shown: as a picture, a signal, or the row of a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from fastdl.data import as_float
from fastdl.report.png import encode_png
from fastdl.typing import Json

COLUMNS = 8  # pictures side by side in a sheet
SMALL = 96  # pixels; a larger picture is made smaller for a sheet
_POINTS = 120  # in the line of a signal
_MOST_CHANNELS = 16  # of (m, length, channels); with more, these are grey pictures
_MOST_COLUMNS = 40  # of (m, columns); with more, these are signals
_LARGEST = 2048  # pixels of one picture, shown alone


class Examples:
    """The examples of a set, in the form that the page needs.

    Parameters
    ----------
    x : ndarray, (m, ...)
        Pictures (m, h, w) or (m, h, w, channels); signals (m, length) or (m, length,
        channels); rows of a table (m, columns) or (m,). More axes are flattened.
    columns : sequence of str, optional
        The names of the columns: then it is a table, however wide.

    Attributes
    ----------
    kind : str
        ``"picture"``, ``"signal"`` or ``"table"``.
    """

    def __init__(self, x: np.ndarray, columns: Sequence[str] | None = None) -> None:
        if x.ndim == 1:
            x = x[:, np.newaxis]
        if x.ndim > 4 or 0 in x.shape:
            x = x.reshape(len(x), -1)
        self._x = x
        self.kind = "table"
        self.columns = list(columns or ())
        if x.ndim == 4 or (x.ndim == 3 and _is_grey(x)):
            self.kind = "picture"
        elif x.ndim == 3 or (columns is None and x.shape[1] > _MOST_COLUMNS):
            self.kind = "signal"
        elif columns is None:
            self.columns = [f"x{i}" for i in range(x.shape[1])]
        if self.kind == "picture":
            self._low, self._high = _limits(x)
        if self.kind == "table":
            values = np.where(np.isfinite(x), x, np.nan).astype(np.float64)
            known = np.maximum(np.isfinite(values).sum(axis=0), 1)
            self._mean = np.nansum(values, axis=0) / known
            spread = np.nansum((values - self._mean) ** 2, axis=0) / known
            self._deviation = np.sqrt(spread)

    def __len__(self) -> int:
        return len(self._x)

    def describe(self) -> dict[str, Json]:
        """Return what the page needs to know before it asks for examples."""
        known: dict[str, Json] = {"kind": self.kind, "columns": self.columns}
        if self.kind == "picture":
            step = self._step()
            height, width = self._x.shape[1:3]
            known["size"] = [math.ceil(height / step), math.ceil(width / step)]
            known["full"] = [height, width]
            known["sheet"] = COLUMNS
        return known

    def sheet(self, indices: Sequence[int]) -> bytes:
        """Return small pictures, `COLUMNS` in a row, as one PNG file."""
        tiles = self._pictures(indices, self._step())
        rows = -(-len(tiles) // COLUMNS)
        n, h, w, *colours = tiles.shape
        sheet = np.zeros((rows * COLUMNS, h, w, *colours), np.uint8)
        sheet[:n] = tiles
        grid = sheet.reshape(rows, COLUMNS, h, w, *colours).swapaxes(1, 2)
        return encode_png(grid.reshape(rows * h, COLUMNS * w, *colours))

    def picture(self, index: int) -> bytes:
        """Return one picture in its full size as a PNG file."""
        step = -(-max(self._x.shape[1:3]) // _LARGEST)
        return encode_png(self._pictures([index], step)[0])

    def values(self, index: int) -> dict[str, Json]:
        """Return the numbers of a row, or the lines of a signal, for JSON.

        A line has at most 120 points: the smallest and the largest value of each piece,
        so that no peak is lost.
        """
        if self.kind == "table":
            row = self._x[index].astype(np.float64)
            away = (row - self._mean) / np.where(self._deviation, self._deviation, 1)
            return {"values": _json(row), "away": _json(np.round(away, 2))}
        signal = self._x[index].astype(np.float64)
        channels = signal.reshape(len(signal), -1).T
        return {"length": len(signal), "lines": [_json(_line(c)) for c in channels]}

    def _step(self) -> int:
        """Return how many pixels along a side become one in a sheet."""
        return -(-max(self._x.shape[1:3]) // SMALL)

    def _pictures(self, indices: Sequence[int], step: int) -> np.ndarray:
        """Return pictures as bytes, (n, h, w) or (n, h, w, 3)."""
        pictures = self._x[list(indices)]
        if pictures.ndim == 3:
            pictures = pictures[..., np.newaxis]
        pictures = as_float(pictures).astype(np.float32)
        if pictures.shape[-1] == 4:  # no colour behind what is transparent
            pictures = pictures[..., :3]
        elif pictures.shape[-1] not in (1, 3):
            pictures = pictures.mean(axis=-1, keepdims=True)
        if step > 1:
            pictures = _shrunk(pictures, step)
        scaled = (pictures - self._low) * (255 / (self._high - self._low or 1))
        pixels = np.rint(np.nan_to_num(scaled).clip(0, 255)).astype(np.uint8)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _is_grey(x: np.ndarray) -> bool:
    """Whether (m, a, b) are grey pictures, and not signals of b channels."""
    return x.dtype == np.uint8 or x.shape[2] > _MOST_CHANNELS


def _limits(x: np.ndarray) -> tuple[float, float]:
    """Return which values are black and white: 0 and 1 unless values lie outside."""
    if x.dtype == np.uint8:
        return 0.0, 1.0  # as `as_float` makes them
    finite = np.isfinite(x)
    low = float(np.min(x, initial=np.inf, where=finite))
    high = float(np.max(x, initial=-np.inf, where=finite))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _shrunk(pictures: np.ndarray, step: int) -> np.ndarray:
    """Return means of step x step pixels; the last ones of a side may be fewer."""
    for axis in (1, 2):
        starts = np.arange(0, pictures.shape[axis], step)
        lengths = np.diff(starts, append=pictures.shape[axis])
        sums = np.add.reduceat(pictures, starts, axis=axis)
        shape = [1, 1, 1, 1]
        shape[axis] = len(lengths)
        pictures = sums / lengths.astype(np.float32).reshape(shape)
    return pictures


def _line(signal: np.ndarray) -> np.ndarray:
    """Return points (n, 2), as position and value, of a line through a signal."""
    length = len(signal)
    places = np.arange(length)
    if length > _POINTS:
        ends = np.linspace(0, length, _POINTS // 2 + 1).astype(int)
        known = np.where(np.isfinite(signal), signal, 0)
        pieces = [slice(a, b) for a, b in itertools.pairwise(ends.tolist())]
        lowest = [piece.start + int(known[piece].argmin()) for piece in pieces]
        highest = [piece.start + int(known[piece].argmax()) for piece in pieces]
        places = np.unique([*lowest, *highest])
    return np.stack([places, signal[places]], axis=1)


def _json(values: np.ndarray) -> Json:
    """Return numbers with six digits as lists, None for those that are not finite."""
    if values.ndim > 1:
        return [_json(row) for row in values]
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in values.tolist()]
