"""The record of a schedule: when each task of each loop ends.

What tasks take, and what lies between the loops, tells how more threads would share
them: bench/scaling.py simulates that.
"""

import time

from libc.stdint cimport int64_t

from fastdl.errors import FastdlError
from fastdl.kernels.engine.runtime cimport (
    Task, nanoseconds, run_loops_by, run_tasks,
)
from fastdl.kernels.engine.runtime import get_num_threads

# A loop is its number of threads and of tasks, when it began, when each task ended.
cdef bytearray memory = None  # None unless a record is made
cdef int64_t *next_number = NULL
cdef int64_t *end = NULL
cdef bint is_full = False


cdef void note(int64_t number) noexcept nogil:
    global next_number, is_full
    if next_number < end:
        next_number[0] = number
        next_number += 1
    else:
        is_full = True


cdef void run_recorded(
    Task task, const void *arguments, Py_ssize_t count, int threads, char *scratch,
) noexcept nogil:
    cdef Py_ssize_t i
    note(threads)
    note(count)
    note(nanoseconds())
    for i in range(count):
        task(arguments, i, scratch)
        note(nanoseconds())


def record_tasks(megabytes=64):
    """Note when each task of each loop ends, until `take_record`.

    Meanwhile one thread does all tasks of a loop, in their order, however many threads
    are set. A megabyte of the record has room for 131,000 tasks.
    """
    global memory, next_number, end, is_full
    if memory is not None:
        raise FastdlError("record_tasks: a record is being made; call take_record")
    memory = bytearray(megabytes * 2**20)
    next_number = <int64_t *> (<char *> memory)
    end = next_number + len(memory) // 8
    is_full = False
    with nogil:
        run_loops_by(run_recorded)


def take_record():
    """End the record; return (threads, times) of each loop, in their order.

    `threads` is how many could have shared the loop. `times` has count + 1 nanoseconds
    of the clock behind `time.monotonic`: when it began and when each task ended.
    """
    global memory
    if memory is None:
        raise FastdlError("take_record: no record is being made; call record_tasks")
    with nogil:
        run_loops_by(NULL)
    cdef Py_ssize_t used = next_number - <int64_t *> (<char *> memory)
    numbers = memoryview(memory).cast("q")
    memory = None
    if is_full:
        raise FastdlError("take_record: the record was full; give it more megabytes")
    loops = []
    cdef Py_ssize_t i = 0
    while i < used:
        threads, count = numbers[i], numbers[i + 1]
        loops.append((threads, numbers[i + 2 : i + 3 + count]))
        i += 3 + count
    return loops


cdef void no_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    pass


def measure_loop():
    """Return the seconds that waking and joining the helpers takes, one task each."""
    cdef int threads = get_num_threads()
    start = time.perf_counter()
    with nogil:
        run_tasks(no_task, NULL, threads, threads, NULL, 0)
    return time.perf_counter() - start
