# Memory that a later task reads or writes, asked for while this one multiplies: a
# transform that waited for each line would leave the multipliers idle.

cdef extern from "prefetch.h" nogil:
    void prefetch_bytes(const char *p, Py_ssize_t bytes)

cdef struct Ahead:
    const char *data
    Py_ssize_t bytes  # 0 or less for nothing

cdef struct Later:
    Ahead first, second  # asked for in equal shares, one between two products
    Py_ssize_t share, shares


cdef inline Later in_shares(
    Ahead first, Ahead second, Py_ssize_t shares,
) noexcept nogil:
    cdef Later later
    later.first, later.second = first, second
    later.share, later.shares = 0, shares
    return later


cdef inline void prefetch_share(
    const Ahead *ahead, Py_ssize_t share, Py_ssize_t shares,
) noexcept nogil:
    cdef Py_ssize_t first = share * ahead.bytes // shares
    prefetch_bytes(ahead.data + first, (share + 1) * ahead.bytes // shares - first)


cdef inline void prefetch_next(Later *later) noexcept nogil:
    """Ask for the next share of both."""
    prefetch_share(&later.first, later.share, later.shares)
    prefetch_share(&later.second, later.share, later.shares)
    later.share += 1
