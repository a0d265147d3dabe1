"""Random changes to training pictures that leave their labels valid (SPEC S22)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fastdl import backend
from fastdl.data.dataset import Batch
from fastdl.data.seeds import uniform
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.shapes import check_images, check_real, fill_index, integer
from fastdl.shapes.numbers import is_number
from fastdl.structure import Structure, entries, is_several, leaves, tree_map

_DRAWN = (
    *("flip", "flip_vertical", "crop_y", "crop_x", "translate_y", "translate_x"),
    *("rotate", "zoom", "shear", "brightness", "contrast", "cutout_y", "cutout_x"),
)
_ROUNDING = 1e-4  # tolerated beyond [0, 1], after an earlier warp
_CELLS = 4  # along each side, of the grid that bends a picture


@dataclass(frozen=True)
class Augment:
    """Draws a new variant of each picture every time it is used for training.

    ::

        augment = Augment(flip=0.5, crop=4)
        loader = DataLoader(train, 128, shuffle=True, transform=augment)

    Everything is off by default. What happens to a picture depends on the seed of the
    loader, the epoch and the number of the picture, not on its batch.

    The changes happen in this order: colours; then a single warp for everything that
    moves pixels, so that they are interpolated (bilinearly) only once; then cutout. A
    flip or a crop alone is exact.

    Parameters
    ----------
    flip : float
        The probability to swap left and right.
    flip_vertical : float
        The probability to swap top and bottom.
    crop : int
        Shift by up to this many whole pixels in both directions, as padding the picture
        on each side and cropping it to its old size would.
    translate : float
        Shift by up to this many pixels in both directions, fractions included. On small
        pictures this is gentler than `crop`.
    rotate : float
        Turn by up to this many degrees either way, at most 180.
    zoom : float or pair of float
        Enlarge by a factor between the two numbers, both positive; a single number
        z >= 1 means (1 / z, z). The logarithm is uniform.
    shear : float
        Slant by up to this many degrees either way, below 90.
    elastic : float
        Bend: move each pixel by up to this many pixels (typically by a third of it),
        smoothly over the picture. The field is a cubic spline on a grid of 4 x 4 cells.
    brightness : float
        Add up to this much either way, at most 1.
    contrast : float
        Scale the distances from the mean of the picture by a factor between
        1 - contrast and 1 + contrast; at most 1.
    color : float
        Add up to this much either way to each channel separately, at most 1.
    cutout : int
        Set a square of this side to 0, centred anywhere in the picture (DeVries and
        Taylor 2017).
    fill : str
        What fills the border: "constant" (zeros), "edge" (the nearest pixel) or
        "reflect" (the mirror image).

    Raises
    ------
    ArgumentError, ShapeError
        An option is out of range; the message names it. `crop`, `translate`, `elastic`
        and `cutout` must be less than the sides of the pictures: a picture could be
        moved out of sight, or be cut out as a whole.

    Notes
    -----
    Sources: Simard, Steinkraus, Platt 2003 (affine and elastic distortion); Krizhevsky,
    Sutskever, Hinton 2012 (crops, flips, colours).
    """

    flip: float = 0.0
    flip_vertical: float = 0.0
    crop: int = 0
    translate: float = 0.0
    rotate: float = 0.0
    zoom: float | tuple[float, float] = 1.0
    shear: float = 0.0
    elastic: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    color: float = 0.0
    cutout: int = 0
    fill: str = "constant"

    each_alone = True  # what happens to a picture does not depend on its batch

    def __post_init__(self) -> None:
        for name in ("flip", "flip_vertical"):
            _check(name, getattr(self, name), 1, "a probability from 0 to 1")
        for name in ("brightness", "contrast", "color"):
            _check(name, getattr(self, name), 1, "a number from 0 to 1")
        for name in ("translate", "elastic"):
            _check(name, getattr(self, name), math.inf, "pixels, from 0")
        _check("rotate", self.rotate, 180, "degrees from 0 to 180")
        _check("shear", self.shear, 89, "degrees from 0 to 89")
        for name in ("crop", "cutout"):
            integer(getattr(self, name), f"Augment: {name}", minimum=0)
        _zoom_range(self.zoom)
        fill_index(self.fill, "Augment")

    def __call__(self, x: Structure, y: Structure, seeds: np.ndarray) -> Batch:
        """Return new pictures, and `y` unchanged.

        Parameters
        ----------
        x : ndarray, (n, h, w, c), or tuple or dict of arrays
            float32 or float64; in [0, 1] if colours are to change. Of several arrays
            those with four axes are pictures and change alike, as two views of one
            scene or a picture with its depth must; the others stay as they are.
        y : ndarray, tuple, dict or None
            Labels.
        seeds : ndarray of uint64, (n,)
            From the loader, one for each picture.

        Raises
        ------
        ShapeError, DtypeError, DataError
            `x` is not pictures, or is outside [0, 1] when colours are to change.
        """
        if not is_several(x):
            return self._change(x, seeds, check_images("Augment", x.shape)[3]), y
        channels = [each.shape[3] for each in leaves(x) if each.ndim == 4]
        if not channels:
            raise ShapeError(
                f"Augment: none of {entries(x, 'x')} is pictures (n, h, w, c)"
            )
        most = max(channels)
        return tree_map(
            lambda each: self._change(each, seeds, most) if each.ndim == 4 else each, x
        ), y

    def _change(self, x: np.ndarray, seeds: np.ndarray, most: int) -> np.ndarray:
        """Return new pictures; those beside them have up to `most` channels."""
        shape = check_images("Augment", x.shape)
        check_real("Augment", x=x)
        for name in ("crop", "translate", "elastic", "cutout"):
            if getattr(self, name) >= min(shape[1:3]):
                raise ArgumentError(
                    f"Augment: {name} must be less than the sides of the pictures, "
                    f"{shape[1]} x {shape[2]}, got {getattr(self, name)!r:.60}"
                )
        points = 2 * (_CELLS + 3) ** 2 if self.elastic else 0
        draws = uniform(seeds, len(_DRAWN) + most + points)
        drawn = dict(zip(_DRAWN, draws.T, strict=False))
        drawn["color"] = draws[:, len(_DRAWN) : len(_DRAWN) + shape[3]]
        drawn["elastic"] = draws[:, len(_DRAWN) + most :]
        if self.brightness or self.contrast or self.color:
            x = self._recolor(x, drawn)
        if self._moves:
            matrix = self._matrix(drawn, *shape[1:3]).astype(x.dtype)
            displacement = self._displacement(drawn, x) if self.elastic else None
            x = backend.affine_warp(x, matrix, displacement, fill=self.fill)
        if self.cutout:
            x = self._cut(x, drawn)
        return x

    @property
    def _moves(self) -> bool:
        """Whether anything moves pixels."""
        shifts = self.crop or self.translate or self.elastic
        turns = self.flip or self.flip_vertical or self.rotate or self.shear
        return bool(shifts or turns or _zoom_range(self.zoom) != (1, 1))

    def _recolor(self, x: np.ndarray, drawn: dict[str, np.ndarray]) -> np.ndarray:
        """Return scale * (x - mean) + mean + shift, within [0, 1]."""
        if x.size and not (x.min() >= -_ROUNDING and x.max() <= 1 + _ROUNDING):
            raise DataError(
                f"Augment: brightness, contrast and color need pictures in [0, 1], got "
                f"values from {x.min():g} to {x.max():g}; standardise them after the "
                f"augmentation, by a Standardize layer in the model"
            )
        n, h, w, c = x.shape
        scale = 1 + self.contrast * _either_way(drawn["contrast"])[:, np.newaxis]
        shift = self.brightness * _either_way(drawn["brightness"])[:, np.newaxis]
        shift = shift + self.color * _either_way(drawn["color"])
        shift += (1 - scale) * x.reshape(n, h * w * c).mean(axis=1, keepdims=True)
        rows = x.reshape(n, h, w * c)  # long rows, since NumPy is slow on 3 channels
        rows = rows * scale[:, np.newaxis].astype(x.dtype)
        rows += np.tile(shift, w)[:, np.newaxis].astype(x.dtype)
        return np.clip(rows, 0, 1, rows).reshape(x.shape)

    def _matrix(self, drawn: dict[str, np.ndarray], h: int, w: int) -> np.ndarray:
        """Return (n, 2, 3): where in the old picture each new pixel comes from."""
        cos, sin = _cos_sin(math.radians(self.rotate) * _either_way(drawn["rotate"]))
        shear = _cos_sin(math.radians(self.shear) * _either_way(drawn["shear"]))
        slant = shear[1] / shear[0]
        # Rounded, since the C libraries differ in the last digit of a logarithm.
        low, high = (round(math.log(factor), 12) for factor in _zoom_range(self.zoom))
        zoom = _exp(low + (high - low) * drawn["zoom"])
        cos, sin = cos / zoom, sin / zoom
        vertical = np.where(drawn["flip_vertical"] < self.flip_vertical, -1, 1)
        horizontal = np.where(drawn["flip"] < self.flip, -1, 1)
        matrix = np.empty((len(cos), 2, 3))
        matrix[:, 0, 0] = (cos - sin * slant) * vertical
        matrix[:, 1, 0] = (sin + cos * slant) * vertical
        matrix[:, 0, 1] = -sin * horizontal
        matrix[:, 1, 1] = cos * horizontal
        y, x = (h - 1) / 2, (w - 1) / 2
        matrix[:, :, 2] = (y, x) - (matrix[:, :, 0] * y + matrix[:, :, 1] * x)
        for axis, name in enumerate("yx"):
            whole = np.floor(drawn[f"crop_{name}"] * (2 * self.crop + 1)) - self.crop
            shift = self.translate * _either_way(drawn[f"translate_{name}"])
            matrix[:, axis, 2] += whole + shift
        return matrix

    def _displacement(self, drawn: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        """Return (n, 2, h, w): a cubic spline through random points on a grid."""
        n, h, w, _ = x.shape
        points = self.elastic * _either_way(drawn["elastic"])
        points = points.astype(x.dtype).reshape(2 * n, (_CELLS + 3) ** 2)
        return backend.matmul(points, _splines(h, w, x.dtype)).reshape(n, 2, h, w)

    def _cut(self, x: np.ndarray, drawn: dict[str, np.ndarray]) -> np.ndarray:
        _, h, w, _ = x.shape
        x = x.copy()
        tops = np.floor(drawn["cutout_y"] * h).astype(int) - self.cutout // 2
        lefts = np.floor(drawn["cutout_x"] * w).astype(int) - self.cutout // 2
        for picture, top, left in zip(x, tops.tolist(), lefts.tolist(), strict=True):
            bottom, right = top + self.cutout, left + self.cutout
            picture[max(top, 0) : bottom, max(left, 0) : right] = 0
        return x


def _either_way(draws: np.ndarray) -> np.ndarray:
    """Map [0, 1) to [-1, 1)."""
    return 2 * draws - 1


# NumPy's own cos, sin and exp depend on the processor in the last digit, its products
# of matrices too; additions, multiplications and divisions do not.


def _cos_sin(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosine and the sine of angles up to pi, by their Taylor series."""
    square = angle * angle
    cos = sin = np.ones_like(angle)
    for k in range(30, 0, -2):
        cos = 1 - square * cos / (k * (k - 1))
        sin = 1 - square * sin / (k * (k + 1))
    return cos, angle * sin


def _exp(x: np.ndarray) -> np.ndarray:
    """Return e^x by the Taylor series of e^(x / 32), squared five times."""
    y = np.ones_like(x)
    for k in range(20, 0, -1):
        y = 1 + x / 32 * y / k
    for _ in range(5):
        y = y * y
    return y


def _check(name: str, value: float, maximum: float, expected: str) -> None:
    # True is not a number here: it would mean 1, and 0.5 was probably intended.
    if not is_number(value) or not 0 <= value <= maximum or value == math.inf:
        raise ArgumentError(f"Augment: {name} must be {expected}, got {value!r:.60}")


def _zoom_range(zoom: float | Sequence[float]) -> tuple[float, float]:
    try:
        low, high = zoom if isinstance(zoom, Sequence) else (1 / zoom, zoom)
        if 0 < low <= high < math.inf and is_number(high):
            return low, high
    except (TypeError, ValueError, ZeroDivisionError):
        pass
    raise ArgumentError(
        f"Augment: zoom must be a factor from 1, such as 1.2, or a pair "
        f"0 < low <= high, such as (0.8, 1.25), got {zoom!r}"
    )


@lru_cache(maxsize=8)
def _splines(h: int, w: int, dtype: np.dtype) -> np.ndarray:
    """Return ((cells + 3)^2, h w): the weight of each grid point at each pixel."""
    products = np.einsum("ip,jq->pqij", _spline(h), _spline(w))
    return products.reshape(-1, h * w).astype(dtype)


def _spline(size: int) -> np.ndarray:
    """Return (size, cells + 3): uniform cubic B-splines over `size` pixels."""
    place = np.linspace(0, _CELLS, size)
    cell = np.minimum(place.astype(int), _CELLS - 1)
    t = place - cell
    weights = np.zeros((size, _CELLS + 3))
    pixel = np.arange(size)
    weights[pixel, cell] = (1 - t) ** 3 / 6
    weights[pixel, cell + 1] = (3 * t**3 - 6 * t**2 + 4) / 6
    weights[pixel, cell + 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
    weights[pixel, cell + 3] = t**3 / 6
    return weights
