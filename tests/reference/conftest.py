"""What several tests of the reference need."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def numeric_gradient():
    """Return the gradient of sum(dy * function(x)) by central differences."""

    def gradient(function, x, dy, step=1e-5):
        dx = np.empty_like(x)
        for index in np.ndindex(x.shape):
            values = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * step
                values.append(np.sum(dy * function(moved)))
            dx[index] = (values[0] - values[1]) / (2 * step)
        return dx

    return gradient
