"""Instruction set, threads, and the one parallel loop under every kernel.

An operation is a function and a struct of plain values. It is cut into tasks by
its shape alone, never by the number of threads, so the result has the same bits
for any number of threads.
"""

import operator
import os
import time

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint64_t

from fastdl.errors import FastdlError, suggest
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.table cimport MicroKernels

cdef extern from "microkernels.h" nogil:
    const MicroKernels *fastdl_microkernels(const char *isa, int real_bytes)

cdef extern from "shares.h" nogil:
    ctypedef struct Shares:
        pass
    void cut_shares(Shares *shares, Py_ssize_t tasks, int threads)
    void take_tasks(
        Shares *shares, int thread, Task task, const void *arguments, char *scratch)

cdef extern from "pool.h" nogil:
    void fastdl_run_in_pool(
        Task task, const void *arguments, Py_ssize_t count, int threads,
        char *scratch, Py_ssize_t scratch_bytes)
    bint fastdl_pool_is_awake()

cdef extern from "team.h" nogil:
    void fastdl_watch_forks()
    bint fastdl_take_team()
    void fastdl_leave_team()
    bint fastdl_is_forked()
    int64_t fastdl_nanoseconds()

cdef extern from "denormals.h" nogil:
    uint64_t flush_denormals()
    void restore_denormals(uint64_t before)

cdef extern from "openmp.h" nogil:
    const bint FASTDL_HAS_OPENMP
    int omp_get_max_threads()
    int omp_get_num_procs()

cdef extern from *:
    """
    #if defined(__GNUC__) && !defined(__clang__)
    #define FASTDL_COMPILER "GCC " __VERSION__
    #elif defined(__VERSION__)
    #define FASTDL_COMPILER __VERSION__
    #else
    #define FASTDL_COMPILER "unknown"
    #endif
    static _Thread_local int fastdl_alone = 0;
    /* Kernels read and write them without the interpreter's lock. */
    static _Atomic int fastdl_threads = 1;
    static _Atomic int fastdl_uses_openmp = 0;
    static _Atomic int64_t fastdl_last_end = 0;
    static void *_Atomic fastdl_runner;
    """
    const char *FASTDL_COMPILER
    bint fastdl_alone  # whether the calling thread runs kernels without helpers
    int thread_count "fastdl_threads"
    bint uses_openmp "fastdl_uses_openmp"
    int64_t last_end "fastdl_last_end"  # of OpenMP's last loop
    void *runner "fastdl_runner"  # a Runner that runs all loops in place of the threads

ISAS = ("generic", "avx2", "avx512")  # in rising order

cdef enum:
    PEAK_STEPS = 500_000
    PEAK_CHAINS = 12  # of csrc/peak.c

cdef const MicroKernels *table32
cdef const MicroKernels *table64
cdef object isa_name = None


cdef const MicroKernels *microkernels(int real_bytes) noexcept nogil:
    return table32 if real_bytes == 4 else table64


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


# The parallel loop --------------------------------------------------------------------

RUNTIMES = ("auto", "openmp", "pool")

# Below this many elementary operations (multiply-adds on vectors, bytes) another thread
# costs more than it saves: about 4 microseconds of one core where it is awake. To
# wake it takes 15 microseconds, which a lone small kernel should not pay.
cdef double AWAKE_WORK = 1e5
cdef double ASLEEP_WORK = 2e5

cdef enum:  # nanoseconds
    OPENMP_SPINS = 1_000_000  # for how long OpenMP's threads stay awake, at least
    WINDOW = 100_000_000  # of loops, after which OpenMP's waiting is judged

cdef int usual_limit = 0  # OpenMP's number of threads unless somebody changes it
cdef object chosen_runtime = None
cdef bint is_auto = True

# OpenMP's record, kept by the owner of the team: for how long its loops worked and
# waited in this window, and the windows on end that were bad.
cdef int64_t worked = 0
cdef int64_t waited = 0
cdef int bad_windows = 0
cdef double waiting_share = 0.0  # what made "auto" leave OpenMP

cdef struct Loop:
    Task task
    const void *arguments
    char *scratch
    Py_ssize_t scratch_bytes
    Shares shares
    int64_t began, done  # when the caller had its first task, and no more


cdef bint openmp_runs() noexcept nogil:
    return uses_openmp and not fastdl_is_forked()


cdef int allowed_threads() noexcept nogil:
    """Threads that may work: at most OpenMP's own number, where somebody changed that.

    So threadpoolctl, and with it joblib and scikit-learn, limits parts of a program.
    """
    cdef int limit = omp_get_max_threads()
    if limit == usual_limit or limit < 1:  # OMP_NUM_THREADS may have been too large
        return thread_count
    return min(limit, thread_count)


cdef int threads_for(double work) noexcept nogil:
    cdef int threads
    cdef bint awake
    if fastdl_alone or thread_count == 1 or work < AWAKE_WORK:
        return 1
    threads = allowed_threads()
    if threads == 1 or work >= ASLEEP_WORK:
        return threads
    if openmp_runs():
        awake = fastdl_nanoseconds() - last_end < OPENMP_SPINS
    else:
        awake = fastdl_pool_is_awake()
    return threads if awake else 1


cdef void run_tasks(
    Task task, const void *arguments, Py_ssize_t count, int threads,
    char *scratch, Py_ssize_t scratch_bytes,
) noexcept nogil:
    """Run task 0 ... count - 1, each once, in any order, on up to `threads` threads.

    Each thread has `scratch_bytes` of its own. While another thread of the program has
    the helpers, this one works alone. Numbers below the smallest normal one are zero.
    """
    cdef uint64_t denormals = flush_denormals()
    cdef Py_ssize_t i
    if runner != NULL and fastdl_take_team():
        run_by_runner(task, arguments, count, threads, scratch)
        fastdl_leave_team()
    elif threads > 1 and count > 1 and fastdl_take_team():
        if openmp_runs():
            run_in_openmp(task, arguments, count, threads, scratch, scratch_bytes)
        else:
            fastdl_run_in_pool(task, arguments, count, threads, scratch, scratch_bytes)
        fastdl_leave_team()
    else:
        for i in range(count):
            task(arguments, i, scratch)
    restore_denormals(denormals)


cdef void run_by_runner(
    Task task, const void *arguments, Py_ssize_t count, int threads, char *scratch,
) noexcept nogil:
    global last_end
    cdef Py_ssize_t i
    cdef Runner own = <Runner>runner
    if own != NULL:
        own(task, arguments, count, threads, scratch)
    else:  # it was taken away before this thread had the helpers
        for i in range(count):
            task(arguments, i, scratch)
    if threads > 1:  # as if the helpers had worked, and were awake
        last_end = nanoseconds()


cdef void run_loops_by(Runner function) noexcept nogil:
    """Let a function run all loops in place of the threads; NULL: the threads again."""
    global runner
    while not fastdl_take_team():  # a loop of another thread may be running
        pass
    runner = <void *>function
    fastdl_leave_team()


cdef int64_t nanoseconds() noexcept nogil:
    """Return the time of a clock that never goes back."""
    return fastdl_nanoseconds()


cdef struct Spans:
    SpanKernel kernel
    const void *arguments
    Py_ssize_t count, length


cdef void span_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const Spans *p = <const Spans *> arguments
    cdef Py_ssize_t first = index * p.length
    p.kernel(p.arguments, first, min(first + p.length, p.count))


cdef void run_spans(
    SpanKernel kernel, const void *arguments, Py_ssize_t count, Py_ssize_t length,
    double work,
) noexcept nogil:
    """Make rows, or elements, 0 to count - 1, `length` in a task; `work` is of all."""
    cdef Spans spans = Spans(kernel, arguments, count, length)
    run_tasks(
        span_task, &spans, ceil_div(count, length), threads_for(work), NULL, 0)


cdef void run_in_openmp(
    Task task, const void *arguments, Py_ssize_t count, int threads,
    char *scratch, Py_ssize_t scratch_bytes,
) noexcept nogil:
    # Always a team of all threads: to shrink and grow it would end and start threads.
    cdef Loop loop
    cdef Loop *shared = &loop
    cdef int64_t start = fastdl_nanoseconds()
    cdef int thread
    loop.task, loop.arguments = task, arguments
    loop.scratch, loop.scratch_bytes = scratch, scratch_bytes
    loop.began = loop.done = start
    cut_shares(&loop.shares, count, threads)
    for thread in prange(threads, schedule="static", chunksize=1, num_threads=threads):
        take_part(shared, thread)
    judge_openmp(shared, start)


cdef void take_part(Loop *loop, int thread) noexcept nogil:
    cdef uint64_t denormals = flush_denormals()
    if thread == 0:
        loop.began = fastdl_nanoseconds()
    take_tasks(
        &loop.shares, thread, loop.task, loop.arguments,
        loop.scratch + thread * loop.scratch_bytes)
    if thread == 0:
        loop.done = fastdl_nanoseconds()
    restore_denormals(denormals)


cdef void judge_openmp(const Loop *loop, int64_t start) noexcept nogil:
    """Note how long the caller worked and waited; "auto" may leave OpenMP for good.

    OpenMP's caller waits for all of its team. Where another program has one of the
    cores, it waits until the system gives that core back, several times as long as
    it works; the pool's caller does the work itself meanwhile.
    """
    global last_end, worked, waited, bad_windows, waiting_share, uses_openmp
    last_end = fastdl_nanoseconds()
    cdef int64_t work = loop.done - loop.began
    worked += work
    waited += last_end - start - work
    if worked + waited < WINDOW:
        return
    bad_windows = bad_windows + 1 if waited > worked else 0
    if bad_windows == 2 and is_auto:  # twice: not for one disturbance
        waiting_share = <double> waited / max(worked, 1)
        uses_openmp = False
    worked = waited = 0


def has_openmp():
    """Whether the kernels were built with OpenMP."""
    return bool(FASTDL_HAS_OPENMP)


def set_runtime(name, source="set_runtime"):
    """Choose what runs the parallel loop: "auto", "openmp" or "pool".

    `source` is who asks, for the message of an error.
    """
    global chosen_runtime, is_auto, uses_openmp, worked, waited, bad_windows
    if name not in RUNTIMES:
        raise FastdlError(
            f"{source}: expected one of {', '.join(RUNTIMES)}, got {name!r}"
            + suggest(str(name), RUNTIMES)
        )
    if name == "openmp" and not FASTDL_HAS_OPENMP:
        raise FastdlError(
            f"{source}: fastdl was built without OpenMP; use 'pool', or build it with "
            "a compiler that has OpenMP, such as GCC"
        )
    if name == "openmp" and fastdl_is_forked():
        raise FastdlError(
            f"{source}: OpenMP's threads do not survive a fork; use 'pool', or start "
            "the process by spawn"
        )
    chosen_runtime = name
    is_auto = name == "auto"
    uses_openmp = name != "pool" and FASTDL_HAS_OPENMP
    worked = waited = bad_windows = 0


def get_runtime():
    """Return what runs the parallel loop now, and why."""
    if openmp_runs():
        return "openmp", "the default" if is_auto else "as asked for"
    if chosen_runtime == "pool":
        why = "as asked for"
    elif not FASTDL_HAS_OPENMP:
        why = "built without OpenMP"
    elif fastdl_is_forked():
        why = "the child of a fork, where OpenMP's threads are gone"
    else:
        why = (
            f"OpenMP's team waited {waiting_share:.1f} times as long as it worked, as "
            "beside busy programs"
        )
    return "pool", why


def set_num_threads(count):
    """Use up to `count` >= 1 threads in every kernel."""
    global thread_count
    try:
        number = 0 if isinstance(count, bool) else operator.index(count)
    except TypeError:
        number = 0
    if not 1 <= number <= 1024:
        raise FastdlError(
            f"number of threads: expected an integer from 1 to 1024, got {count!r}"
        )
    thread_count = number


def get_num_threads():
    """Number of threads that a large kernel uses."""
    return allowed_threads()


def work_alone():
    """Run every kernel that the calling thread starts from now on without helpers.

    For threads that work in the background: a second team of OpenMP threads would
    take the processors from the first one.
    """
    global fastdl_alone
    fastdl_alone = True


cdef void peak_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef char result[64]
    (<const MicroKernels *> arguments).peak(PEAK_STEPS, result)


def measure_peak(dtype="float32"):
    """Return the multiply-adds that all threads do on registers, in FLOP/s.

    Takes about 2 ms; a median of several calls is a fair 100 % for a kernel.
    """
    cdef const MicroKernels *kernels = microkernels(8 if dtype == "float64" else 4)
    cdef int threads = allowed_threads()
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


def _number_of_threads(name):
    """Return the number in an environment variable, 0 where it is not set."""
    text = os.environ.get(name, "")
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1024):
        raise FastdlError(f"{name}: expected a number from 1 to 1024, got {text!r}")
    return int(text or 0)


def _openmp_threads():
    """Return what OMP_NUM_THREADS asks for, 0 where it does not.

    It may be a list, with a number for each level; OpenMP ignores what it can't read.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(first), 1024) if first.isascii() and first.isdigit() else 0


def _cores():
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _cgroup_cores() or cores)


fastdl_watch_forks()
usual_limit = _openmp_threads() or omp_get_num_procs()
set_isa(os.environ.get("FASTDL_ISA") or available_isas()[-1])
set_num_threads(
    _number_of_threads("FASTDL_NUM_THREADS") or _openmp_threads() or _cores())
set_runtime(os.environ.get("FASTDL_RUNTIME") or "auto", "FASTDL_RUNTIME")

# In the child of a fork too, as many processes as cores may have been started.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: set_num_threads(1))
