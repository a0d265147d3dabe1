"""Threads: how many, whose, and what runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastdl
from fastdl import kernels
from fastdl.errors import FastdlError
from fastdl.kernels.engine import runtime

HAS_OPENMP = runtime.has_openmp()
BOTH = pytest.mark.parametrize("name", ["openmp", "pool"] if HAS_OPENMP else ["pool"])
needs_openmp = pytest.mark.skipif(not HAS_OPENMP, reason="built without OpenMP")
needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no affinity"
)


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Python code in a fresh process with more environment variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def succeed(code: str, **environment: str) -> str:
    """Return what such a process prints, which must end without an error."""
    result = run(code, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# How many ----------------------------------------------------------------------------

THREADS = "from fastdl.kernels.engine import runtime; print(runtime.get_num_threads())"


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_wrong_thread_counts_are_refused(count):
    with pytest.raises(FastdlError, match="number of threads"):
        runtime.set_num_threads(count)


def test_an_integer_of_numpy_counts_threads(set_num_threads):
    set_num_threads(np.int64(2))
    assert runtime.get_num_threads() == 2


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", "²", "٣", "9" * 30])
def test_wrong_numbers_in_the_environment_are_refused(text):
    error = run(THREADS, FASTDL_NUM_THREADS=text).stderr
    assert (
        f"FASTDL_NUM_THREADS: expected a number from 1 to 1024, got {text!r}" in error
    )


@pytest.mark.parametrize(("text", "threads"), [("1", 1), ("3", 3), (" 4,2 ", 4)])
def test_the_number_that_openmp_is_given_holds(text, threads):
    """OMP_NUM_THREADS is how joblib keeps its workers from taking all cores each."""
    assert succeed(THREADS, FASTDL_NUM_THREADS="", OMP_NUM_THREADS=text) == str(threads)


def test_our_own_number_comes_first():
    assert succeed(THREADS, FASTDL_NUM_THREADS="2", OMP_NUM_THREADS="1") == "2"


@needs_openmp
def test_a_limit_above_the_cores_holds():
    pytest.importorskip("threadpoolctl")
    code = """
from threadpoolctl import threadpool_limits
from fastdl.kernels.engine import runtime
cores = len(__import__("os").sched_getaffinity(0))
runtime.set_num_threads(cores + 6)
with threadpool_limits(cores + 2, user_api="openmp"):
    assert runtime.get_num_threads() == cores + 2
assert runtime.get_num_threads() == cores + 6
"""
    succeed(code, FASTDL_NUM_THREADS="", OMP_NUM_THREADS="")


@pytest.mark.parametrize("text", ["2147483648", "999999999999"])
def test_a_number_that_openmp_cannot_hold_is_no_limit(text):
    code = THREADS.replace("print", "runtime.set_num_threads(2); print")
    assert succeed(code, OMP_NUM_THREADS=text) == "2"


@pytest.mark.parametrize("text", ["", "many", "-1", "²", "0"])
def test_what_openmp_cannot_read_is_ignored(text):
    usual = succeed(THREADS, FASTDL_NUM_THREADS="", OMP_NUM_THREADS="")
    assert succeed(THREADS, FASTDL_NUM_THREADS="", OMP_NUM_THREADS=text) == usual


@needs_openmp
@BOTH
def test_limits_of_threadpoolctl_hold(name):
    """joblib and scikit-learn limit parts of a program by it."""
    pytest.importorskip("threadpoolctl")
    code = """
import os
import numpy as np
from threadpoolctl import threadpool_limits
from fastdl import kernels
from fastdl.kernels.engine import runtime

def started(): return len(os.listdir("/proc/self/task"))

a = np.ones((512, 512), np.float32)
before = started()
assert runtime.get_num_threads() == 4
with threadpool_limits(1, user_api="openmp"):
    assert runtime.get_num_threads() == 1
    kernels.matmul(a, a)
    assert started() == before
with threadpool_limits(3, user_api="openmp"):
    assert runtime.get_num_threads() == 3
    kernels.matmul(a, a)
    assert started() == before + 2
assert runtime.get_num_threads() == 4
kernels.matmul(a, a)
assert started() == before + 3
"""
    succeed(code, FASTDL_NUM_THREADS="", OMP_NUM_THREADS="4", FASTDL_RUNTIME=name)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", None), ("250000 100000", 2), ("50000 100000", 1), ("", None)],
)
def test_limits_of_a_container_are_kept(text, cores, tmp_path):
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert runtime._cgroup_cores(file) == cores


@needs_affinity
def test_no_more_threads_than_cores_that_the_process_may_use():
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from fastdl.kernels.engine import runtime
print(runtime.get_num_threads())
"""
    assert run(code, FASTDL_NUM_THREADS="", OMP_NUM_THREADS="").stdout.strip() == "1"


# What runs them -----------------------------------------------------------------------


def test_an_unknown_runtime_is_refused_with_a_near_match():
    with pytest.raises(FastdlError, match="did you mean 'openmp'"):
        runtime.set_runtime("openmpi")
    assert "FASTDL_RUNTIME" in run(THREADS, FASTDL_RUNTIME="opnmp").stderr


@pytest.mark.parametrize("name", [None, 1, "", ["pool"]])
def test_a_runtime_is_chosen_by_its_name(name):
    with pytest.raises(FastdlError, match="expected one of auto, openmp, pool"):
        runtime.set_runtime(name)


@BOTH
def test_a_runtime_is_told_with_its_reason(name, set_runtime):
    set_runtime(name)
    assert fastdl.get_runtime() == (name, "as asked for")
    assert str(fastdl.get_runtime()) == f"{name} (as asked for)"


@needs_openmp
def test_openmp_is_the_default():
    code = "import fastdl; print(fastdl.get_runtime())"
    assert succeed(code, FASTDL_RUNTIME="") == "openmp (the default)"


@BOTH
def test_all_runtimes_and_numbers_of_threads_give_the_same_bits(
    name, set_runtime, set_num_threads, dtype
):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 300, 300)).astype(dtype)
    x = rng.standard_normal((8, 20, 20, 24)).astype(dtype)
    w = rng.standard_normal((3, 3, 24, 32)).astype(dtype)

    def results():
        y = kernels.conv2d_forward(x, w, padding=1)
        dw, db = kernels.conv2d_backward_weight(y, x, (3, 3), padding=1)
        statistics = kernels.batchnorm_forward(x, w[0, 0, :, 0], w[0, 1, :, 0])
        arrays = (kernels.matmul(a, b), y, dw, db, *statistics)
        return [array.tobytes() for array in arrays]

    set_num_threads(1)
    expected = results()
    set_runtime(name)
    for threads in range(1, 9):
        set_num_threads(threads)
        assert results() == expected, f"{threads} threads"


@needs_openmp
@needs_affinity
@pytest.mark.parametrize(("asked", "comes"), [("auto", "pool"), ("openmp", "openmp")])
def test_auto_leaves_a_team_that_waits_for_its_cores(asked, comes):
    """Two threads on one core: each loop waits until the system lets both run."""
    code = """
import os, time
import numpy as np
import fastdl
from fastdl import kernels
from fastdl.kernels.engine import runtime
a = np.ones((200, 200), np.float32)
runtime.set_num_threads(1)
expected = kernels.matmul(a, a).tobytes()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
runtime.set_num_threads(2)
end = time.monotonic() + (5 if os.environ["FASTDL_RUNTIME"] == "auto" else 1)
while fastdl.get_runtime().name == "openmp" and time.monotonic() < end:
    assert kernels.matmul(a, a).tobytes() == expected
assert kernels.matmul(a, a).tobytes() == expected
print(fastdl.get_runtime())
"""
    told = succeed(code, FASTDL_RUNTIME=asked)
    assert told.startswith(comes)
    assert ("times as long as it worked" in told) == (asked == "auto")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("name", ["auto", "openmp", "pool"])
def test_a_forked_child_computes_instead_of_hanging(name):
    code = """
import os, sys, warnings
import numpy as np
from fastdl import kernels
from fastdl.errors import FastdlError
from fastdl.kernels.engine import runtime
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
    in_pool = runtime.get_runtime()[0] == "pool"
    try:
        runtime.set_runtime("openmp")
        refused = False
    except FastdlError as error:
        refused = "fork" in str(error) or "without OpenMP" in str(error)
    grandchild = os.fork()
    if grandchild == 0:
        runtime.set_num_threads(2)
        os._exit(kernels.matmul(a, a).tobytes() != parent.tobytes())
    _, status = os.waitpid(grandchild, 0)
    os._exit(0 if same and alone and in_pool and refused and status == 0 else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    if name == "openmp" and not HAS_OPENMP:
        pytest.skip("built without OpenMP")
    succeed(code, FASTDL_RUNTIME=name)


@BOTH
def test_threads_of_the_program_share_the_helpers(name, set_runtime, set_num_threads):
    """While one has them the others work alone; all get the same bits."""
    a = np.random.default_rng(0).random((200, 200), dtype=np.float32)
    expected = kernels.matmul(a, a).tobytes()
    set_runtime(name)
    set_num_threads(3)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: kernels.matmul(a, a).tobytes(), range(400)))
    assert set(results) == {expected}


@BOTH
def test_helpers_leave_signals_to_the_program(name):
    """Ctrl-C ends a program whose helpers are busy, by its KeyboardInterrupt."""
    code = """
import os, signal, threading
import numpy as np
from fastdl import kernels
from fastdl.kernels.engine import runtime
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
    assert run(code, FASTDL_RUNTIME=name).stdout.strip() == "interrupted"


@BOTH
@pytest.mark.parametrize("threads", [1, 2])
def test_numbers_below_the_normal_ones_are_zero_in_kernels_only(
    name, threads, dtype, isa, set_runtime, set_num_threads
):
    tiny = np.full((200, 200), np.finfo(dtype).smallest_subnormal)
    set_runtime(name)
    set_num_threads(threads)
    assert not kernels.matmul(tiny, np.ones_like(tiny)).any()
    assert (tiny + tiny).all()  # NumPy, after a kernel
