"""Run each test of this floor through both backends."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def through_both(each_backend):
    """Run every test, also one that does not ask for it."""


@pytest.fixture
def rng():
    """Return a generator with a fixed seed."""
    return np.random.default_rng(0)
