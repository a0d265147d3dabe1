"""Instruction set, threads, and the one parallel loop under every kernel.

An operation is a function and a struct of plain values. It is cut into tasks by
its shape alone, never by the number of threads, so the result has the same bits
for any number of threads.
"""

import os
import time

from fastdl.errors import FastdlError, suggest
from fastdl.kernels.table cimport MicroKernels, fastdl_microkernels

cdef extern from "run_tasks.h":
    bint fastdl_helpers_awake() noexcept nogil
    void fastdl_run_tasks(
        Task task, const void *arguments, Py_ssize_t count, int threads,
        char *scratch, Py_ssize_t scratch_bytes) noexcept nogil

cdef extern from *:
    """
    #ifdef __VERSION__
    #define FASTDL_COMPILER __VERSION__
    #else
    #define FASTDL_COMPILER "unknown"
    #endif
    static _Thread_local int fastdl_alone = 0;
    """
    const char *FASTDL_COMPILER
    bint fastdl_alone  # whether the calling thread runs kernels without helpers

ISAS = ("generic", "avx2", "avx512")  # in rising order

# Below this many elementary operations (multiply-adds on vectors, bytes) another thread
# costs more than it saves: about 4 microseconds of one core where it is awake. To
# wake it takes 15 microseconds, which a lone small kernel should not pay.
cdef double AWAKE_WORK = 1e5
cdef double ASLEEP_WORK = 2e5

cdef enum:
    PEAK_STEPS = 5_000_000
    PEAK_CHAINS = 12  # of csrc/peak.c

cdef const MicroKernels *table32
cdef const MicroKernels *table64
cdef int thread_count = 1
cdef object isa_name = None


cdef const MicroKernels *microkernels(int real_bytes) noexcept nogil:
    return table32 if real_bytes == 4 else table64


cdef int threads_for(double work) noexcept nogil:
    if fastdl_alone or thread_count == 1 or work < AWAKE_WORK:
        return 1
    return thread_count if work >= ASLEEP_WORK or fastdl_helpers_awake() else 1


cdef void run_tasks(
    Task task, const void *arguments, Py_ssize_t count, int threads,
    char *scratch, Py_ssize_t scratch_bytes,
) noexcept nogil:
    """Run task 0 ... count - 1; each thread has `scratch_bytes` of its own."""
    fastdl_run_tasks(task, arguments, count, threads, scratch, scratch_bytes)


def available_isas():
    """Names of the instruction sets that are compiled in and run here."""
    return tuple(name for name in ISAS if fastdl_microkernels(name.encode(), 4))


def set_isa(name):
    """Use one instruction set: "generic", "avx2" or "avx512"."""
    global table32, table64, isa_name
    if name not in available_isas():
        raise FastdlError(
            f"instruction set {name!r} is not available on this machine"
            + suggest(name, available_isas())
        )
    encoded = name.encode()
    table32 = fastdl_microkernels(encoded, 4)
    table64 = fastdl_microkernels(encoded, 8)
    isa_name = name


def get_isa():
    """Name of the instruction set in use."""
    return isa_name


def set_num_threads(count):
    """Use up to `count` >= 1 threads in every kernel."""
    global thread_count
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1024:
        raise FastdlError(
            f"number of threads: expected an integer from 1 to 1024, got {count!r}"
        )
    thread_count = count


def work_alone():
    """Run every kernel that the calling thread starts from now on without helpers.

    For threads that work in the background: a second team of OpenMP threads would
    take the processors from the first one.
    """
    global fastdl_alone
    fastdl_alone = True


def get_num_threads():
    """Number of threads that a large kernel uses."""
    return thread_count


cdef void peak_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef char result[64]
    (<const MicroKernels *> arguments).peak(PEAK_STEPS, result)


def measure_peak(dtype="float32"):
    """Return the multiply-adds that all threads do on registers, in FLOP/s.

    Takes about 20 ms; a median of several calls is a fair 100 % for a kernel.
    """
    cdef const MicroKernels *kernels = microkernels(8 if dtype == "float64" else 4)
    cdef int threads = thread_count
    start = time.perf_counter()
    with nogil:
        run_tasks(peak_task, kernels, threads, threads, NULL, 0)
    seconds = time.perf_counter() - start
    return 2.0 * PEAK_CHAINS * kernels.lanes * PEAK_STEPS * threads / seconds


def compiler():
    """Name and version of the C compiler that built the kernels."""
    return FASTDL_COMPILER.decode()


def _cgroup_cores(path="/sys/fs/cgroup/cpu.max"):
    """Return the whole cores that a container may use, or None where none says."""
    try:
        with open(path) as file:
            quota, period = file.read().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _threads_at_import():
    """Return what the user asks for, else the cores that this process may use."""
    text = os.environ.get("FASTDL_NUM_THREADS")
    if text:
        if not text.isdigit() or int(text) < 1:
            raise FastdlError(f"FASTDL_NUM_THREADS: expected 1 or more, got {text!r}")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _cgroup_cores() or cores)


set_isa(os.environ.get("FASTDL_ISA") or available_isas()[-1])
set_num_threads(_threads_at_import())

# OpenMP's worker threads do not survive a fork; waiting for them would hang.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: set_num_threads(1))
