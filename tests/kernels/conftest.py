"""What every test of a compiled kernel needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

runtime = pytest.importorskip(
    "fastdl.kernels.engine.runtime", reason="the compiled kernels are not built"
)
choose = pytest.importorskip("fastdl.kernels.conv2d.choose")


@pytest.fixture(params=runtime.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine in turn."""
    before = runtime.get_isa()
    runtime.set_isa(request.param)
    yield request.param
    runtime.set_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    """Both real types in turn."""
    return np.dtype(request.param)


def _results(function: Callable[[], Any]) -> list[np.ndarray]:
    result = function()
    results = list(result) if isinstance(result, tuple) else [result]
    return [np.array(array) for array in results]


@pytest.fixture
def set_num_threads() -> Iterator[Callable[[int], None]]:
    """`runtime.set_num_threads`, undone at the end."""
    before = runtime.get_num_threads()
    yield runtime.set_num_threads
    runtime.set_num_threads(before)


@pytest.fixture
def set_runtime() -> Iterator[Callable[[str], None]]:
    """`runtime.set_runtime`, undone at the end."""
    yield runtime.set_runtime
    runtime.set_runtime(os.environ.get("FASTDL_RUNTIME") or "auto")


@pytest.fixture
def use_row() -> Iterator[Callable[[int], None]]:
    """`choose.use_row`, undone at the end: which algorithm computes convolutions."""
    yield choose.use_row
    choose.use_row(-1)


@pytest.fixture
def same_bits_for_threads(
    set_num_threads: Callable[[int], None], set_runtime: Callable[[str], None]
) -> Callable[[Callable[[], Any]], None]:
    """Run a function with 1 to 4 threads and compare the bytes of its results."""
    openmp = "openmp" if runtime.has_openmp() else "pool"

    def check(function: Callable[[], Any]) -> None:
        set_num_threads(1)
        expected = _results(function)
        for name, threads in ((openmp, 2), ("pool", 3), (openmp, 4)):
            set_runtime(name)
            set_num_threads(threads)
            for array, wanted in zip(_results(function), expected, strict=True):
                assert array.tobytes() == wanted.tobytes(), f"{name}, {threads} threads"

    return check


@pytest.fixture
def assert_close() -> Callable[..., None]:
    """Compare with the reference at the precision of a sum of `terms` products."""

    def check(actual: Any, expected: Any, terms: int = 1) -> None:
        actual = actual if isinstance(actual, tuple) else (actual,)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for a, e in zip(actual, expected, strict=True):
            assert a.dtype == e.dtype
            assert a.shape == e.shape
            assert a.flags.c_contiguous
            tolerance = 8 * np.finfo(a.dtype).eps * max(terms, 4) ** 0.5
            scale = max(1.0, float(np.abs(e).max(initial=0)))
            np.testing.assert_allclose(a, e, rtol=tolerance, atol=scale * tolerance)

    return check


@pytest.fixture
def numeric_gradient() -> Callable[..., np.ndarray]:
    """Central differences of sum(function() * dy) in the elements of an array."""

    def gradient(
        function: Callable[[], np.ndarray], array: np.ndarray, dy: np.ndarray
    ) -> np.ndarray:
        slopes = np.empty_like(array)
        for place in np.ndindex(array.shape):
            value = array[place]
            step = 1e-6 * max(1.0, abs(value))
            sums = []
            for point in (value + step, value - step):
                array[place] = point
                sums.append((function() * dy).sum())
            array[place] = value
            slopes[place] = (sums[0] - sums[1]) / (2 * step)
        return slopes

    return gradient
