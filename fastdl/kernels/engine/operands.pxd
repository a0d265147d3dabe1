# The operands of the register tile (csrc/matmul.c).

from fastdl.kernels.engine.table cimport MicroKernels, Reduction

cdef extern from "microkernels.h" nogil:
    const ptrdiff_t fastdl_no_offset[1]


cdef inline Reduction one_run(
    Py_ssize_t length, Py_ssize_t step, Py_ssize_t b_stride,
) noexcept nogil:
    """Return how a row of `length` reals, `step` bytes apart, meets rows of b."""
    cdef Reduction reduction
    reduction.runs = 1
    reduction.offset = fastdl_no_offset
    reduction.length, reduction.step, reduction.b_stride = length, step, b_stride
    return reduction


cdef inline void pack_row(
    const MicroKernels *kernels, Py_ssize_t n, const char *row, char *panels,
) noexcept nogil:
    """Copy n reals to the start of as many panels of height 1 (a bias)."""
    cdef Py_ssize_t width = kernels.tile_cols
    cdef Py_ssize_t size = kernels.real_bytes
    cdef Py_ssize_t col = 0
    while col < n:
        kernels.pack_panel(
            1, min(width, n - col), row + col * size, size, size, width,
            panels + col * size)
        col += width
