# Numbers that mean the same in every loop nest.

cdef enum:
    CACHE_LINE = 64  # bytes; the widest vector has as many
    MIN_TASKS = 8  # enough that threads which are done early find more
    MAX_PARTS = 16  # of a long sum, each on its own: memory for many threads
    STREAMED = 16 << 20  # bytes of a result that is too large for the caches
    MULTIPLY_ADDS = 16  # that count as one elementary operation (threads_for)


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b


cdef inline Py_ssize_t round_up(Py_ssize_t n, Py_ssize_t multiple) noexcept nogil:
    return ceil_div(n, multiple) * multiple
