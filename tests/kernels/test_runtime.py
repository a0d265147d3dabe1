"""Instruction sets and the C table under the kernels."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fastdl import kernels
from fastdl.errors import FastdlError
from fastdl.kernels.engine import runtime, schedule

ROOT = Path(__file__).parents[2]


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Python code in a fresh process with more environment variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_isa_runs_and_wider_ones_are_preferred():
    isas = runtime.available_isas()
    assert isas[0] == "generic"
    assert set(isas) <= {"generic", "avx2", "avx512"}


def test_unknown_isa_is_refused_with_a_near_match():
    with pytest.raises(FastdlError, match="generic"):
        runtime.set_isa("genric")


def test_environment_forces_isa_and_threads():
    code = """
from fastdl.kernels.engine import runtime, schedule
print(runtime.get_isa(), runtime.get_num_threads())
"""
    result = run(code, FASTDL_ISA="generic", FASTDL_NUM_THREADS="3")
    assert result.stdout.split() == ["generic", "3"]
    assert "FASTDL_NUM_THREADS" in run(code, FASTDL_NUM_THREADS="many").stderr
    assert "did you mean 'avx2'" in run(code, FASTDL_ISA="avx22").stderr or (
        "avx2" not in runtime.available_isas()
    )


def test_peak_is_measured():
    assert runtime.measure_peak() > 1e8
    assert runtime.measure_peak("float64") > 1e8


def test_an_empty_loop_is_measured():
    assert 0 < schedule.measure_loop() < 1


# The record of tasks -----------------------------------------------------------------


@pytest.fixture
def record():
    """Leave no record open."""
    yield schedule.record_tasks
    with contextlib.suppress(FastdlError):
        schedule.take_record()


def product() -> np.ndarray:
    """Compute a product with many tasks."""
    a = np.random.default_rng(0).standard_normal((300, 300), np.float32)
    return kernels.matmul(a, a)


def test_a_record_has_the_tasks_of_each_loop(record, set_num_threads):
    set_num_threads(3)
    expected = product()
    record()
    before = time.monotonic_ns()
    y = product()
    small = kernels.activation_forward(np.ones(3, np.float32), "relu")
    after = time.monotonic_ns()
    *loops, (threads, times) = schedule.take_record()
    assert y.tobytes() == expected.tobytes()
    assert small.all()
    assert (threads, len(times)) == (1, 1 + 1)
    assert max(threads for threads, _ in loops) == 3
    assert max(len(times) for _, times in loops) > 3
    stamps = [before, *(t for _, times in loops for t in times), *times, after]
    assert stamps == sorted(stamps)


def test_nothing_is_recorded_after_the_record_was_taken(record):
    record()
    product()
    assert schedule.take_record()
    product()
    record()
    assert schedule.take_record() == []


def test_records_are_made_one_at_a_time(record):
    with pytest.raises(FastdlError, match="take_record: no record is being made"):
        schedule.take_record()
    record()
    with pytest.raises(FastdlError, match="record_tasks: a record is being made"):
        record()


def test_a_full_record_is_refused(record):
    record(megabytes=0)
    expected = product()
    with pytest.raises(FastdlError, match="give it more megabytes"):
        schedule.take_record()
    assert product().tobytes() == expected.tobytes()


def test_records_beside_other_threads(record):
    """A loop of another thread is in the record whole or not at all."""
    expected = product().tobytes()
    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(product) for _ in range(60)]
        while not all(result.done() for result in results):
            record()
            product()
            for _, times in schedule.take_record():
                assert list(times) == sorted(times)
    assert all(result.result().tobytes() == expected for result in results)
