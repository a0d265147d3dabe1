from libc.stdint cimport int64_t

from fastdl.kernels.engine.table cimport MicroKernels

# One piece of an operation: `arguments` is the operation's struct, `index` says
# which piece, `scratch` is memory that no other thread uses meanwhile.
ctypedef void (*Task)(
    const void *arguments, Py_ssize_t index, char *scratch) noexcept nogil

# What may run all tasks of a loop, in their order, in place of the threads.
ctypedef void (*Runner)(
    Task task, const void *arguments, Py_ssize_t count, int threads,
    char *scratch) noexcept nogil

# A micro-kernel that makes rows, or elements, `first` to `end - 1` of a result.
ctypedef void (*SpanKernel)(
    const void *arguments, ptrdiff_t first, ptrdiff_t end) noexcept nogil

cdef const MicroKernels *microkernels(int real_bytes) noexcept nogil
cdef int threads_for(double work) noexcept nogil
cdef void run_tasks(
    Task task, const void *arguments, Py_ssize_t count, int threads,
    char *scratch, Py_ssize_t scratch_bytes) noexcept nogil
cdef void run_loops_by(Runner function) noexcept nogil
cdef int64_t nanoseconds() noexcept nogil
cdef void run_spans(
    SpanKernel kernel, const void *arguments, Py_ssize_t count, Py_ssize_t length,
    double work) noexcept nogil
