# Memory that a later task reads or writes, asked for while this one multiplies: a
# transform that waited for each line would leave the multipliers idle.

cdef extern from "prefetch.h" nogil:
    void prefetch_bytes(const char *p, Py_ssize_t bytes)

cdef struct Ahead:
    const char *data
    Py_ssize_t bytes  # 0 or less for nothing


cdef inline void prefetch_share(
    const Ahead *ahead, Py_ssize_t share, Py_ssize_t shares,
) noexcept nogil:
    """Ask for one of so many equal shares."""
    cdef Py_ssize_t first = share * ahead.bytes // shares
    prefetch_bytes(ahead.data + first, (share + 1) * ahead.bytes // shares - first)
