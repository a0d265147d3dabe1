# Element-wise operations cut their arrays into spans, one to a task; others take as
# many rows as make about a span.

cdef enum:
    SPAN = 4096  # elements: few enough that tasks even out, enough to pay for one


cdef inline Py_ssize_t span_rows(Py_ssize_t elements) noexcept nogil:
    """Return how many rows of `elements` each make a span: at least one."""
    return max(<Py_ssize_t> 1, SPAN // max(<Py_ssize_t> 1, elements))
