# The memory of one pass, cut into pieces by the lines that use them.
#
# They run twice: without memory, which adds up the sizes, and with it, which gives the
# addresses. So neither can be wrong about the other. In builds with the address
# sanitizer some bytes that nobody may touch lie behind each piece.

from fastdl.kernels.engine.sizes cimport CACHE_LINE, round_up

cdef extern from "forbidden.h" nogil:
    const Py_ssize_t FORBIDDEN  # bytes; 0 without the sanitizer
    void forbid(void *data, Py_ssize_t bytes)
    void allow(void *data, Py_ssize_t bytes)

cdef struct Workspace:
    char *memory  # NULL: sizes are added up
    Py_ssize_t bytes  # taken so far


cdef inline Workspace workspace(char *memory) noexcept nogil:
    cdef Workspace w
    w.memory, w.bytes = memory, 0
    return w


cdef inline char *take(Workspace *w, Py_ssize_t bytes) noexcept nogil:
    """Return the next `bytes`, on lines of the cache of their own, or NULL."""
    cdef char *piece = NULL if w.memory == NULL else w.memory + w.bytes
    cdef Py_ssize_t whole = round_up(bytes, CACHE_LINE) + FORBIDDEN
    w.bytes += whole
    if piece != NULL:
        allow(piece, bytes)  # another way of cutting may have left it forbidden
        forbid(piece + bytes, whole - bytes)
    return piece
