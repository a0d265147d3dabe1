"""Sums of many terms."""

from __future__ import annotations

import numpy as np


def wide(dtype: np.dtype) -> np.dtype:
    """Return the type in which terms of `dtype` are added up: float64 at least.

    NumPy adds along all but the last axis term by term, and a long chain of additions
    in float32 loses digits: at 1024 x 1024 pixels two of seven are left.
    """
    return np.result_type(dtype, np.float64)


def sum_over(x: np.ndarray, axes: tuple[int, ...], share: int = 1) -> np.ndarray:
    """Return the sum over axes, divided by `share`, in the type of `x`."""
    return (x.sum(axes, dtype=wide(x.dtype)) / share).astype(x.dtype)
