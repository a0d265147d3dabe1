# Element-wise operations cut their arrays into spans, one to a task; others take as
# many rows as make about a span.

from fastdl.kernels.engine.sizes cimport ceil_div

cdef enum:
    SPAN = 16384  # elements: short enough for the cache, long enough for a task


cdef inline Py_ssize_t span_count(Py_ssize_t n) noexcept nogil:
    return ceil_div(n, SPAN)


cdef inline Py_ssize_t span_length(Py_ssize_t n, Py_ssize_t index) noexcept nogil:
    return min(<Py_ssize_t> SPAN, n - index * SPAN)


cdef inline Py_ssize_t span_rows(Py_ssize_t elements) noexcept nogil:
    """Return how many rows of `elements` each make a span: at least one."""
    return max(<Py_ssize_t> 1, SPAN // max(<Py_ssize_t> 1, elements))
