from fastdl.kernels.conv2d cimport Conv2dArgs
from fastdl.kernels.images cimport Images
from fastdl.kernels.engine.table cimport MicroKernels

cdef enum:
    PLACES = 36  # of the transformed 6 x 6 tile

cdef Py_ssize_t place_stride(Py_ssize_t reals, Py_ssize_t lanes) noexcept nogil
cdef bint winograd_fits(const Conv2dArgs *p) noexcept nogil
cdef Py_ssize_t winograd_bytes(const Conv2dArgs *p, int threads) noexcept nogil
cdef void run_winograd(const Conv2dArgs *p, int threads, char *memory) noexcept nogil


cdef inline Images tiles_of(const Images *x) noexcept nogil:
    """Return the windows of 6 x 6 pixels, 4 apart, that cover those of 3 x 3."""
    cdef Images tiles = x[0]
    tiles.step_h = tiles.step_w = 4
    tiles.span_h = tiles.span_w = 6
    tiles.rows = (x.rows + 3) // 4
    tiles.cols = (x.cols + 3) // 4
    return tiles


cdef inline void transform_input(
    const MicroKernels *kernels, const Images *x, Py_ssize_t image, Py_ssize_t row,
    Py_ssize_t col, char *v, Py_ssize_t place,
) noexcept nogil:
    """Transform one tile; pixels outside of the image are 0."""
    cdef Py_ssize_t r = row * x.step_h - x.top
    cdef Py_ssize_t q = col * x.step_w - x.left
    kernels.winograd_input(
        x.c, x.data + ((image * x.h + r) * x.w + q) * x.c * x.size, x.w * x.c, x.c,
        -r, x.h - r, -q, x.w - q, v, place)
