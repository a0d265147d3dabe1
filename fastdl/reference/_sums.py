"""Sums of many terms."""

from __future__ import annotations

import numpy as np


def wide(dtype: np.dtype) -> np.dtype:
    """Return the type in which terms of `dtype` are added up: at least float64.

    NumPy adds term by term along all axes but the last, and a long chain of additions
    in float32 loses digits: over 1024 x 1024 pixels, two out of seven remain.
    """
    return np.result_type(dtype, np.float64)


def sum_over(x: np.ndarray, axes: tuple[int, ...], share: int = 1) -> np.ndarray:
    """Return the sum over axes, divided by `share`, in the type of `x`."""
    return (x.sum(axes, dtype=wide(x.dtype)) / share).astype(x.dtype)
