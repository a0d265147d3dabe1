# Element-wise operations cut their arrays into spans, one to a task; others take as
# many rows as make about a span.

cdef enum:
    SPAN = 16384  # elements: short enough for the cache, long enough for a task


cdef inline Py_ssize_t span_rows(Py_ssize_t elements) noexcept nogil:
    """Return how many rows of `elements` each make a span: at least one."""
    return max(<Py_ssize_t> 1, SPAN // max(<Py_ssize_t> 1, elements))
