cdef int choose(algorithm) except -1
cdef bint winograd_faster(
    Py_ssize_t n, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t channels_in,
    Py_ssize_t channels_out, Py_ssize_t lanes, int choice) noexcept nogil
