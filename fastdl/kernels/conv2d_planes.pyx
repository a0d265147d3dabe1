"""The input gradient by scattering, for few channels.

    product[ky, kx, c][i, j] = sum_o weight[ky, kx, c, o] dy[i, j, o]
    dx[i s + ky d - p, j s + kx d - p, c] += product[ky, kx, c][i, j]

As in conv2d_scatter.pyx, but the products lie with the pixels of dy side by side: their
vectors are full however few the channels, and to scatter them is to add rows to rows of
planes, a plane for each channel and each column modulo the stride. When an image is
done its planes are interleaved. A task is an image.
"""

from libc.string cimport memcpy, memset

from fastdl.kernels.images cimport Images
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.table cimport MicroKernels, Reduction

cdef enum:
    CHUNK_BYTES = 1 << 17  # of products, so that they are still cached when added
    LINE = 64  # bytes of a line of the cache


cdef void multiply_pixels(
    const ScatterArgs *p, Py_ssize_t pixels, const char *dy, char *products,
    char *panel,
) noexcept nogil:
    """Multiply all weights by some pixels of dy, a tile's width at a time."""
    cdef const MicroKernels *kernels = p.kernels
    cdef Py_ssize_t first, cols
    cdef Reduction reduction = one_run(p.oc, 1, kernels.tile_cols)
    first = 0
    while first < pixels:
        cols = min(kernels.tile_cols, pixels - first)
        kernels.pack_panel(p.oc, cols, dy + first * p.oc * p.size, 1, p.oc, panel)
        kernels.product(
            p.products, cols, p.weight, p.oc, panel, products + first * p.size, p.pitch,
            NULL, False, &reduction)
        first += cols


cdef void add_products(
    const ScatterArgs *p, Py_ssize_t row, Py_ssize_t rows, const char *products,
    char *planes,
) noexcept nogil:
    """Add the products of `rows` rows of dy, from `row` on, to the planes."""
    cdef const Images *x = &p.x
    cdef Py_ssize_t ky, kx, c, col
    cdef char *plane
    for ky in range(p.kh):
        for kx in range(p.kw):
            col = kx * p.dilation_w
            plane = planes + (
                (col % x.step_w * x.c * p.padded_h + row * x.step_h
                 + ky * p.dilation_h) * p.plane_w + col // x.step_w) * p.size
            for c in range(x.c):
                p.kernels.add_rows(
                    rows, x.cols, products, x.cols,
                    plane + c * p.padded_h * p.plane_w * p.size,
                    x.step_h * p.plane_w)
                products += p.pitch * p.size


cdef void image_task(
    const void *arguments, Py_ssize_t image, char *scratch,
) noexcept nogil:
    """Compute dx of one image."""
    cdef const ScatterArgs *p = <const ScatterArgs *> arguments
    cdef const Images *x = &p.x
    cdef char *products = scratch
    cdef char *panel = products + p.products * p.pitch * p.size
    cdef char *pixels = panel + p.oc * p.kernels.tile_cols * p.size
    cdef char *planes = pixels + p.planes * p.plane_w * p.size
    cdef Py_ssize_t plane = p.padded_h * p.plane_w
    cdef const char *dy = p.dy + image * x.rows * x.cols * p.oc * p.size
    cdef char *dx = p.dx + image * x.h * x.w * x.c * p.size
    cdef Py_ssize_t row, rows
    memset(planes, 0, p.planes * plane * p.size)
    row = 0
    while row < x.rows:
        rows = min(p.chunk_rows, x.rows - row)
        multiply_pixels(
            p, rows * x.cols, dy + row * x.cols * p.oc * p.size, products, panel)
        add_products(p, row, rows, products, planes)
        row += rows
    for row in range(x.h):
        p.kernels.interleave(
            p.plane_w, p.planes, planes + (row + x.top) * p.plane_w * p.size, plane,
            pixels)
        memcpy(dx + row * x.w * x.c * p.size, pixels + x.left * x.c * p.size,
               x.w * x.c * p.size)


cdef Py_ssize_t thread_bytes(const ScatterArgs *p) noexcept nogil:
    cdef Py_ssize_t reals = (
        p.products * p.pitch + p.oc * p.kernels.tile_cols
        + p.planes * (p.padded_h + 1) * p.plane_w)
    return (reals * p.size + LINE - 1) // LINE * LINE


cdef Py_ssize_t planes_bytes(ScatterArgs *p, int threads) noexcept nogil:
    """Plan the pass; return the bytes of memory that `run_planes` needs."""
    cdef const Images *x = &p.x
    cdef Py_ssize_t line = LINE // p.size
    cdef Py_ssize_t lanes = p.kernels.lanes
    p.products = p.kh * p.kw * x.c
    p.chunk_rows = CHUNK_BYTES // max(1, p.products * x.cols * p.size)
    p.chunk_rows = max(<Py_ssize_t> 1, min(p.chunk_rows, x.rows))
    # An odd number of lines: else the rows of a tile would share few sets of the cache.
    p.pitch = ((p.chunk_rows * x.cols + line - 1) // line | 1) * line
    # All windows and the whole image: some pixels may lie in no window.
    p.padded_w = max(x.left + x.w, (x.cols - 1) * x.step_w + x.span_w)
    p.planes = x.step_w * x.c
    p.padded_h = max(x.top + x.h, (x.rows - 1) * x.step_h + x.span_h)
    # Rows are added in whole vectors, which must not reach into the next row.
    p.plane_w = max(
        (p.padded_w + x.step_w - 1) // x.step_w,
        (x.span_w - 1) // x.step_w + (x.cols + lanes - 1) // lanes * lanes)
    return threads * thread_bytes(p)


cdef void run_planes(ScatterArgs *p, int threads, char *memory) noexcept nogil:
    """Compute all images."""
    run_tasks(image_task, p, p.x.n, threads, memory, thread_bytes(p))
