"""Instruction sets and the C table under the kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastdl.errors import FastdlError
from fastdl.kernels.engine import runtime

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
from fastdl.kernels.engine import runtime
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
