"""The law of learning curves: a + b n^-c, and its fit."""

from __future__ import annotations

import math

import numpy as np

_EXPONENTS = np.linspace(0.05, 2.0, 79)


def power_laws(laws: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the errors (laws, sizes) of laws (a, b, c) in rows."""
    a, b, c = laws.T[:, :, np.newaxis]
    return a + b * sizes.astype(float) ** -c


def fit_power_laws(
    sizes: np.ndarray, errors: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Return (a, b, c) for each row of errors: least squares, weighted by the spread.

    For a given c the law is linear in a and b, so every c of a grid is tried.
    """
    weight = spread**-2 / (spread**-2).sum()
    rows = np.arange(len(errors))
    best = np.full(len(errors), math.inf)
    laws = np.zeros((len(errors), 3))
    mean = errors @ weight
    for c in _EXPONENTS:
        x = sizes.astype(float) ** -c
        centred = x - x @ weight
        b = (errors * (weight * centred)).sum(axis=1) / (weight @ centred**2)
        a = mean - b * (x @ weight)
        # If a or b would be negative, the best fit is on the border: a = 0 or b = 0.
        without_a = (errors * (weight * x)).sum(axis=1) / (weight @ x**2)
        b = np.where(a < 0, without_a, np.maximum(b, 0))
        a = np.where(a < 0, 0, np.where(b > 0, a, mean))
        residual = errors - a[:, np.newaxis] - b[:, np.newaxis] * x
        cost = residual**2 @ weight
        better = rows[cost < best]
        best[better] = cost[better]
        laws[better] = np.stack([a, b, np.full(len(errors), c)], axis=1)[better]
    return laws
