"""Synthetic data: clean signals with noise at a given level (SPEC S31).

Speech with car noise is cheaper to make than to record. But one hour of noise under ten
thousand hours of speech is still one hour: to people it sounds right, and the network
memorises that hour. So `Mix` counts how often its noise is heard.

The level is the signal-to-noise ratio in decibels, 10 log10 of the ratio of the powers;
the power is the mean square of a signal. At 0 dB the noise is as loud as the signal, at
20 dB it has a tenth of its amplitude.

Sources: Ng, *Machine Learning Yearning*, 2018, chapter 43 (artificial data synthesis);
Ko et al., "A study on data augmentation of reverberant speech", 2017 (noise of many
sources at levels drawn from a range).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Real

import numpy as np

from fastdl import shapes
from fastdl.data import DataLike, as_dataset, as_float, uniform
from fastdl.data.dataset import Batch, take_real
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError
from fastdl.shapes import holds_pictures, integer
from fastdl.shapes.numbers import is_number
from fastdl.strategy.coverage import (
    REPEATS,
    Coverage,
    amount,
    counted,
    coverage_of,
    lengths,
)
from fastdl.typing import ArrayLike

_LOUDEST = 200.0  # dB either way; beyond that one of the two is lost in rounding
_PLACE = 3  # random numbers that determine a piece


def mix(
    signal: ArrayLike, noise: ArrayLike, snr_db: float, seed: int = 0
) -> np.ndarray:
    """Return a signal with noise, at an exact signal-to-noise ratio.

    From longer noise a piece is taken, at a place that the seed determines, but never a
    silent piece. Shorter noise is repeated, starting at a place that the seed
    determines. The ratio is to the power of the piece.

    Parameters
    ----------
    signal : array_like, (n,), (n, channels) or (h, w, c)
        Sound, several channels of it, or a picture.
    noise : array_like
        With the same axes and channels, of any length (height, width); or with one
        channel, which is added to all channels.
    snr_db : float
        The ratio in decibels, from -200 to 200; below 0 the noise is louder than the
        signal.
    seed : int
        From 0.

    Returns
    -------
    ndarray
        Of the shape of the signal, float32 or float64: integers become the type that
        holds them, and pictures of uint8 are scaled to [0, 1] first. Nothing is
        clipped, since that would change the ratio.

    Raises
    ------
    DataError
        The signal or the noise is silent (its power is 0) or not finite.
    ShapeError, DtypeError, ArgumentError
        The shapes do not fit each other, the numbers are not real, or an option is out
        of range.
    """
    signal, noise = _real("mix: signal", signal), _real("mix: noise", noise)
    snr = _decibel("mix: snr_db", snr_db)
    noise = _like_signal("mix", noise, signal.shape)
    if not noise.any():
        raise DataError("mix: the noise is silent, its power is 0")
    rng = np.random.default_rng(integer(seed, "mix: seed", minimum=0))
    piece = _piece(noise, signal.shape, rng.random(_PLACE))
    return _mixed("mix", signal, piece, snr)


class Mix:
    """Mixes noise into the examples of a loader, differently each time.

    ::

        mix = strategy.Mix(noises, snr_db=(0, 20), probability=0.8)
        print(mix.coverage(train, epochs=10, rate=16_000))
        loader = data.DataLoader(train, 64, shuffle=True, transform=mix)

    A source, a piece of it (see `mix`) and a level are drawn for each example. They
    depend on the seed of the loader, the epoch and the index of the example, not on its
    batch.

    A UserWarning says once that all of the noise has been heard 20 times: the network
    may memorise it.

    Parameters
    ----------
    noise : sequence of array_like, or array (sources, ...)
        The sources, of any length, each with the axes of an example or without that of
        channels. All are equally likely.
    snr_db : float or pair of float
        The level in decibels, or the range from which it is drawn uniformly.
    probability : float
        The share of examples that get noise, from 0 to 1.

    Raises
    ------
    DataError
        There is no source, or one is silent or not finite.
    ShapeError, DtypeError, ArgumentError
        The sources differ in their axes or are not real numbers, or an option is out of
        range.
    """

    def __init__(
        self,
        noise: Sequence[ArrayLike] | np.ndarray,
        snr_db: float | tuple[float, float] = (0.0, 20.0),
        probability: float = 1.0,
    ) -> None:
        self.noise = tuple(_real("Mix: a source", source) for source in noise)
        if not self.noise:
            raise DataError("Mix: there is no source of noise")
        for number, source in enumerate(self.noise):
            if source.ndim != self.noise[0].ndim:
                raise ShapeError(
                    f"Mix: source {number} has shape {source.shape}, other axes than "
                    f"source 0, {self.noise[0].shape}; noise is a list of sources, or "
                    f"an array whose rows are sources"
                )
            if not source.any():
                raise DataError(f"Mix: source {number} is silent, its power is 0")
        self.snr_db = _range(snr_db)
        if not is_number(probability) or not 0 <= probability <= 1:
            raise ArgumentError(
                f"Mix: probability must be from 0 to 1, got {probability!r}"
            )
        self.probability = float(probability)
        self._heard = 0  # samples of noise, since it was made
        self._warned = False

    def __call__(self, x: np.ndarray, y: np.ndarray | None, seeds: np.ndarray) -> Batch:
        """Return new signals, and `y` unchanged.

        Parameters
        ----------
        x : ndarray, (b, n), (b, n, channels) or (b, h, w, c)
            Real numbers; integers become the float type that holds them.
        y : ndarray or None
            Labels.
        seeds : ndarray of uint64, (b,)
            From the loader: one for each example.

        Raises
        ------
        DataError
            An example is silent, so it has no signal-to-noise ratio.
        ShapeError, DtypeError
            The examples do not fit the noise, or are not real numbers.
        """
        x = _real("Mix: x", x, batch=True)
        shape = x.shape[1:]
        low, high = self.snr_db
        whether, which, level, *places = uniform(seeds, 3 + _PLACE).T
        rows = np.flatnonzero(whether < self.probability)
        mixed = x.copy()
        for row, place in zip(rows, np.transpose(places)[rows], strict=True):
            number = int(which[row] * len(self.noise))
            noise = _like_signal(f"Mix: source {number}", self.noise[number], shape)
            snr = low + (high - low) * level[row]
            mixed[row] = _mixed("Mix", x[row], _piece(noise, shape, place), snr)
        self._count(len(rows), shape)
        return mixed, y

    def coverage(
        self, data: DataLike, epochs: int = 1, rate: float | None = None
    ) -> Coverage:
        """Return how much of the noise is heard in a training, and how often.

        Parameters
        ----------
        data : Dataset, array x or tuple (x, y)
            The clean signals.
        epochs : int
            Of the training, from 1.
        rate : float, optional
            Samples per second, to give amounts in hours.

        Raises
        ------
        DataError, ShapeError, ArgumentError
            There are no data, they do not fit the noise, or an option is out of range.
        """
        dataset = as_dataset(data)
        epochs = integer(epochs, "coverage: epochs")
        if rate is not None and not (isinstance(rate, Real) and 0 < rate < math.inf):
            raise ArgumentError(f"coverage: rate must be positive, got {rate!r}")
        if len(dataset) == 0:
            raise DataError("coverage: the data set is empty")
        shape = take_real(dataset, np.arange(1))[0].shape[1:]
        for number, source in enumerate(self.noise):
            _like_signal(f"Mix: source {number}", source, shape)
        return coverage_of(
            [source.shape for source in self.noise],
            shape,
            len(dataset),
            epochs,
            self.probability,
            rate,
        )

    def __repr__(self) -> str:
        return (
            f"Mix({len(self.noise)} sources, snr_db={self.snr_db}, "
            f"probability={self.probability})"
        )

    def _count(self, examples: int, shape: tuple[int, ...]) -> None:
        """Count the noise that was heard; warn once when it is too much."""
        self._heard += examples * amount(shape, shape)
        noise = sum(amount(source.shape, shape) for source in self.noise)
        if self._heard > REPEATS * noise and not self._warned:
            self._warned = True
            warnings.warn(
                f"Mix: {counted(len(self.noise))} so far heard {REPEATS} times, all of "
                f"it: the network may learn it by heart. Add sources; Mix.coverage "
                f"says how much there is",
                stacklevel=3,
            )


def _mixed(
    operation: str, signal: np.ndarray, piece: np.ndarray, snr: float
) -> np.ndarray:
    """Return the sum, in the dtype of the signal."""
    level = _rms(signal)
    if level == 0:
        raise DataError(
            f"{operation}: the signal is silent, so that there is no signal-to-noise "
            f"ratio; leave such examples out"
        )
    level *= 10 ** (-snr / 20)
    noise = piece.astype(np.float64) / _rms(piece) * level
    return (signal + noise).astype(signal.dtype)


def _rms(signal: np.ndarray) -> float:
    """Return the square root of the power; squares may overflow, or become 0."""
    signal = signal.astype(np.float64)
    peak = float(np.abs(signal).max())
    return peak * math.sqrt(np.mean(np.square(signal / peak))) if peak else 0.0


def _piece(noise: np.ndarray, shape: tuple[int, ...], place: np.ndarray) -> np.ndarray:
    """Return noise as long as a signal, from a place that three numbers determine.

    Longer noise gives one piece; shorter noise is repeated. `place` has numbers in [0,
    1): one for each axis of time or space, and the last one for when that place is
    silent.
    """
    axes = lengths(shape)
    spare = np.subtract(noise.shape[:axes], shape[:axes])
    places = np.where(spare > 0, spare + 1, noise.shape[:axes])
    piece = _from(noise, shape, (place[:axes] * places).astype(int))
    if piece.any():
        return piece
    # Start at a random one of the samples that are not silent.
    heard = np.flatnonzero(noise)
    first = np.unravel_index(heard[int(place[-1] * len(heard))], noise.shape)
    return _from(noise, shape, np.minimum(first[:axes], np.maximum(spare, 0)))


def _from(noise: np.ndarray, shape: tuple[int, ...], starts: np.ndarray) -> np.ndarray:
    for axis, start in enumerate(starts.tolist()):
        noise = noise.take(np.arange(start, start + shape[axis]), axis, mode="wrap")
    return noise


def _like_signal(
    operation: str, noise: np.ndarray, signal: tuple[int, ...]
) -> np.ndarray:
    """Return noise with an axis of channels if the signal has one."""
    axes = lengths(signal)
    if len(signal) not in (1, 2, 3):
        raise ShapeError(
            f"{operation}: a signal has shape (n,), (n, channels) or (h, w, c), got "
            f"{signal}"
        )
    if noise.ndim == axes < len(signal):
        noise = noise[..., np.newaxis]
    channels = noise.shape[axes:]
    if noise.ndim != len(signal) or (channels != (1,) and channels != signal[axes:]):
        raise ShapeError(
            f"{operation}: noise of shape {noise.shape} does not fit a signal of shape "
            f"{signal}: it needs as many axes and channels, or one channel"
        )
    return noise


def _real(name: str, values: ArrayLike, batch: bool = False) -> np.ndarray:
    """Return finite real numbers; pictures of bytes are scaled to [0, 1]."""
    array = shapes.array(values, name)
    if array.dtype.kind not in "iuf":
        raise DtypeError(f"{name} needs real numbers, got {array.dtype}")
    if array.ndim == 0 or (array.size == 0 and not batch):
        raise ShapeError(f"{name} is empty or a single number, shape {array.shape}")
    if holds_pictures(array) and not batch:
        array = as_float(array)
    array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    if not np.isfinite(array).all():
        raise DataError(f"{name} has values that are not finite")
    return array


def _decibel(name: str, value: object) -> float:
    if not is_number(value) or not abs(value) <= _LOUDEST:
        raise ArgumentError(
            f"{name} must be decibel from -{_LOUDEST:g} to {_LOUDEST:g}, got {value!r}"
        )
    return float(value)


def _range(snr_db: float | Sequence[float]) -> tuple[float, float]:
    pair = snr_db if isinstance(snr_db, (tuple, list)) else (snr_db, snr_db)
    if len(pair) != 2 or not _decibel("Mix: snr_db", pair[0]) <= _decibel(
        "Mix: snr_db", pair[1]
    ):
        raise ArgumentError(
            f"Mix: snr_db must be a number or a pair low <= high, got {snr_db!r}"
        )
    return float(pair[0]), float(pair[1])
