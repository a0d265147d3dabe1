"""Instruction sets, threads and the C table under the kernels."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fastdl import kernels
from fastdl.errors import FastdlError
from fastdl.kernels import runtime

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


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_wrong_thread_counts_are_refused(count):
    with pytest.raises(FastdlError, match="number of threads"):
        runtime.set_num_threads(count)


def test_environment_forces_isa_and_threads():
    code = """
from fastdl.kernels import runtime
print(runtime.get_isa(), runtime.get_num_threads())
"""
    result = run(code, FASTDL_ISA="generic", FASTDL_NUM_THREADS="3")
    assert result.stdout.split() == ["generic", "3"]
    assert "FASTDL_NUM_THREADS" in run(code, FASTDL_NUM_THREADS="many").stderr
    assert "did you mean 'avx2'" in run(code, FASTDL_ISA="avx22").stderr or (
        "avx2" not in runtime.available_isas()
    )


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", None), ("250000 100000", 2), ("50000 100000", 1), ("", None)],
)
def test_limits_of_a_container_are_kept(text, cores, tmp_path):
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert runtime._cgroup_cores(file) == cores


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no affinity"
)
def test_no_more_threads_than_cores_that_the_process_may_use():
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from fastdl.kernels import runtime
print(runtime.get_num_threads())
"""
    assert run(code, FASTDL_NUM_THREADS="").stdout.strip() == "1"


def test_peak_is_measured():
    assert runtime.measure_peak() > 1e8
    assert runtime.measure_peak("float64") > 1e8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_instead_of_hanging():
    code = """
import os, sys, warnings
import numpy as np
from fastdl import kernels
from fastdl.kernels import runtime
warnings.simplefilter("ignore")
runtime.set_num_threads(2)
a = np.ones((512, 512), np.float32)
parent = kernels.matmul(a, a)  # starts a helper
child = os.fork()
if child == 0:
    alone = runtime.get_num_threads() == 1
    same = kernels.matmul(a, a).tobytes() == parent.tobytes()
    runtime.set_num_threads(2)
    same = same and kernels.matmul(a, a).tobytes() == parent.tobytes()
    os._exit(0 if same and alone else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_threads_of_the_program_share_the_helpers(set_num_threads):
    """While one has them the others work alone; all get the same bits."""
    a = np.random.default_rng(0).random((200, 200), dtype=np.float32)
    expected = kernels.matmul(a, a).tobytes()
    set_num_threads(3)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: kernels.matmul(a, a).tobytes(), range(400)))
    assert set(results) == {expected}


def test_helpers_leave_signals_to_the_program():
    """Ctrl-C ends a program whose helpers are busy, by its KeyboardInterrupt."""
    code = """
import os, signal, threading
import numpy as np
from fastdl import kernels
from fastdl.kernels import runtime
signal.signal(signal.SIGINT, signal.default_int_handler)
runtime.set_num_threads(2)
a = np.ones((256, 256), np.float32)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        kernels.matmul(a, a)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert run(code).stdout.strip() == "interrupted"


@pytest.mark.parametrize("threads", [1, 2])
def test_numbers_below_the_normal_ones_are_zero_in_kernels_only(
    threads, dtype, isa, set_num_threads
):
    tiny = np.full((200, 200), np.finfo(dtype).smallest_subnormal)
    set_num_threads(threads)
    assert not kernels.matmul(tiny, np.ones_like(tiny)).any()
    assert (tiny + tiny).all()  # NumPy, after a kernel


def test_every_micro_kernel_is_declared_for_cython():
    """The table of csrc/table.h and its declaration in table.pxd have equal names."""
    listed = re.findall(
        r"^MICROKERNEL\((\w+),", (ROOT / "csrc/microkernels.def").read_text(), re.M
    )
    declared = re.findall(
        r"void \(\*(\w+)\)\(", (ROOT / "fastdl/kernels/table.pxd").read_text()
    )
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(declared)


def test_threads_of_the_caller_may_call_kernels_at_once():
    """Two Python threads in kernels do not disturb each other."""
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(0)
    a = rng.standard_normal((200, 300)).astype(np.float32)
    expected = kernels.matmul(a, a, transpose_b=True).tobytes()
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(
            lambda _: kernels.matmul(a, a, transpose_b=True).tobytes(), range(40)
        )
        assert all(result == expected for result in results)
