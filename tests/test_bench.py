"""The benchmarks time every operation, on shapes where it is right."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fastdl import reference

kernels = pytest.importorskip(
    "fastdl.kernels", reason="the compiled kernels are not built"
)

from bench import bench_conv2d, harness  # noqa: E402
from bench.compare import change  # noqa: E402
from bench.harness import Timing  # noqa: E402
from bench.kernels import CASES  # noqa: E402

LAYERS = bench_conv2d.LAYERS | bench_conv2d.DEPTHWISE


def test_every_operation_has_a_benchmark():
    """DESIGN: the same file name on every floor."""
    folder = Path(reference.__file__).parent
    operations = {path.stem for path in folder.glob("[a-z]*.py")}
    assert {f"bench_{name}" for name in operations} == set(CASES)
    assert all(CASES.values())


@pytest.mark.parametrize("direction", ["forward", "gradients"])
@pytest.mark.parametrize("layer", LAYERS)
def test_timed_convolutions_equal_the_reference(layer, direction):
    """One image of each layer of the tables, its sides at most 64 pixels."""
    _, c, size, *rest = LAYERS[layer]
    work = bench_conv2d.work(direction, 1, c, min(size, 64), *rest)
    actual, expected = work.ours(kernels), work.ours(reference)
    if direction == "forward":
        actual, expected = (actual,), (expected,)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-4 * np.abs(e).max())


def test_products_with_padding_are_no_work():
    """A 3 x 3 filter on 4 x 4 pixels: 4 corners of 4 taps, 8 edges of 6, 4 of 9."""
    s = bench_conv2d.shapes.conv2d((2, 4, 4, 5), (3, 3, 5, 7), padding=1)
    assert bench_conv2d.products(s) == 2 * (4 * 4 + 8 * 6 + 4 * 9) * 5 * 7
    s = bench_conv2d.shapes.conv2d((2, 4, 4, 6), (3, 3, 1, 6), groups=6)
    assert bench_conv2d.products(s) == 2 * 4 * 9 * 6


def test_all_sides_are_measured_equally_often():
    calls = {"a": 0, "b": 0}

    def count(name):
        calls[name] += 1
        sum(range(30_000))

    sides = {name: (lambda name=name: count(name)) for name in calls}
    times = harness.measure(sides, repeats=4)
    assert all(0 < t.low <= t.median <= t.high for t in times.values())
    assert min(calls.values()) >= 4


def test_disagreeing_sides_raise():
    y = np.ones((2, 3, 4), np.float32)
    harness.check_equal("case", y, y.transpose(2, 0, 1))
    with pytest.raises(AssertionError, match="case: the sides disagree"):
        harness.check_equal("case", y, 2 * y)


def test_goals():
    assert harness.against(2.0, None, ".2f") == "2.00"
    assert harness.against(2.0, 1.5, ".2f") == "2.00 (≥ 1.5)"
    assert harness.against(1.0, 1.5, ".2f") == "**1.00** (≥ 1.5)"
    assert harness.against(1.0, 1.5, ".1f", at_most=True) == "1.0 (≤ 1.5)"
    assert harness.geometric_mean([1, 4]) == pytest.approx(2)
    assert math.isnan(harness.geometric_mean([]))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Timing(1.04, 1.04, 1.04), 0),  # too little
        (Timing(1.2, 1.2, 1.2), 0.2),
        (Timing(0.8, 0.8, 0.8), -0.2),
        (Timing(1.2, 1.1, 1.3), 0),  # within the noise
    ],
)
def test_a_change_beyond_noise(after, expected):
    assert change(Timing(1.0, 1.0, 1.0), after) == pytest.approx(expected)
