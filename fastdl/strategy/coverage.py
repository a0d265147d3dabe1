"""How much noise there is for clean data: too little is memorised (SPEC S31)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from fastdl.strategy.tables import percent

REPEATS = 20  # times that noise may be heard without a warning

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Coverage:
    """How much of the noise is heard in a training, and how often.

    Attributes
    ----------
    sources : int
        How many sources of noise there are.
    noise, clean : int
        Samples (for pictures, pixels) of all noise, and of all clean signals.
    epochs : int
        Of the training.
    repeats : float
        How often a sample of noise is heard, on average.
    seen : float
        The share of the noise that is expected to be heard at least once.
    rate : float or None
        Samples per second, if known.
    """

    sources: int
    noise: int
    clean: int
    epochs: int
    repeats: float
    seen: float
    rate: float | None = None

    @property
    def ratio(self) -> float:
        """The amount of noise relative to the clean signals."""
        return self.noise / self.clean

    @property
    def problem(self) -> str | None:
        """What is wrong, as a sentence; None if the noise does not repeat much."""
        if self.repeats <= REPEATS:
            return None
        return (
            f"each sample of the noise is heard {self.repeats:,.0f} times: the network "
            f"may learn it by heart; add sources"
        )

    def __str__(self) -> str:
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs:,} epochs"
        lines = [
            f"{counted(self.sources)}, {self._told(self.noise)}, for "
            f"{self._told(self.clean)} of clean signal ({percent(self.ratio, 3)})",
            f"in {epochs} each sample of the noise is heard "
            f"{_number(self.repeats)} times, and {percent(self.seen, 3)} of it at "
            f"least once",
        ]
        return "\n".join([*lines, self.problem] if self.problem else lines)

    def _told(self, samples: int) -> str:
        if self.rate is None:
            return f"{samples:,} samples"
        return f"{_number(samples / self.rate / 3600)} h"


def coverage_of(
    noise: Sequence[Shape],
    signal: Shape,
    examples: int,
    epochs: int,
    probability: float,
    rate: float | None,
) -> Coverage:
    """Return the coverage of noise of these shapes that is mixed into signals.

    Parameters
    ----------
    noise : sequence of shape
        Of the sources, which are drawn equally often.
    signal : shape
        Of an example.
    examples : int
        In an epoch.
    epochs : int
        Of the training.
    probability : float
        That an example gets noise.
    rate : float or None
        Samples per second.
    """
    total = sum(amount(source, signal) for source in noise)
    unheard = 0.0
    for source in noise:
        chances, samples = _chances(source, signal)
        # The chance, for one use of an example, of noise from this source and this
        # piece.
        chances = chances * probability / len(noise)
        unheard += np.sum(samples * (1 - chances) ** (epochs * examples))
    clean = examples * amount(signal, signal)
    return Coverage(
        sources=len(noise),
        noise=total,
        clean=clean,
        epochs=epochs,
        repeats=epochs * clean * probability / total,
        seen=float(1 - unheard / total),
        rate=rate,
    )


def lengths(signal: Shape) -> int:
    """Return how many axes of a signal are time or space: two for a picture."""
    return 2 if len(signal) == 3 else 1


def amount(shape: Shape, signal: Shape) -> int:
    """Return the samples, or pixels, of noise for signals of a shape."""
    return math.prod(shape[: lengths(signal)])


def counted(sources: int) -> str:
    """Return the number of sources as a text."""
    return "1 source of noise" if sources == 1 else f"{sources:,} sources of noise"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _chances(noise: Shape, signal: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances of samples to be in a piece, and how many have each."""
    axes = [
        _along_axis(there, wanted)
        for there, wanted in zip(noise, signal[: lengths(signal)], strict=False)
    ]
    chances, samples = zip(*axes, strict=True)
    return reduce(np.multiply.outer, chances), reduce(np.multiply.outer, samples)


def _along_axis(there: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    if wanted >= there:  # all of it, repeated if need be
        return np.ones(1), np.full(1, there)
    # Near the border fewer pieces hold a sample: 1, 2, ..., most, ..., most, ..., 2, 1.
    starts = there - wanted + 1
    most = min(wanted, starts)
    samples = np.full(most, 2)
    samples[-1] = there - 2 * (most - 1)
    return np.arange(1, most + 1) / starts, samples
