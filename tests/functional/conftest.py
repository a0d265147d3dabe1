"""Run each test of this floor through both backends."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import backend


@pytest.fixture(params=["compiled", "reference"], autouse=True)
def each_backend(request):
    """Bind the kernels of one backend for the test."""
    before = backend.name
    try:
        backend.use(request.param)
    except ImportError:
        pytest.skip("the compiled kernels are not built")
    yield request.param
    backend.use(before)


@pytest.fixture
def rng():
    """Return a generator with a fixed seed."""
    return np.random.default_rng(0)
