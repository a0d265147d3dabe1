# Element-wise operations cut their arrays into spans, one to a task.

cdef enum:
    SPAN = 16384  # elements: short enough for the cache, long enough for a task


cdef inline Py_ssize_t span_count(Py_ssize_t n) noexcept nogil:
    return (n + SPAN - 1) // SPAN


cdef inline Py_ssize_t span_length(Py_ssize_t n, Py_ssize_t index) noexcept nogil:
    return min(<Py_ssize_t> SPAN, n - index * SPAN)
