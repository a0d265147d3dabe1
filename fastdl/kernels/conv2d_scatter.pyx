"""The input gradient of a strided convolution, by scattering.

    patch[i, j] = dy[i, j] weight^T, of kh x kw x c reals
    dx at the window of (i, j) += patch[i, j]

A window of dx gathers from few pixels of dy when the stride is large, and their number
differs from pixel to pixel; a pixel of dy always reaches a whole window. So each row of
dy is multiplied by all weights at once, kh kw c columns wide with nothing wasted, and
the patches, still in the cache, are added to the image. A task is an image.
"""

from libc.string cimport memcpy, memset

from fastdl.kernels.images cimport Images
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.table cimport Reduction


cdef void pack_task(
    const void *arguments, Py_ssize_t panel, char *scratch,
) noexcept nogil:
    """Pack one panel of the transposed weights (oc, kh * kw * c)."""
    cdef const ScatterArgs *p = <const ScatterArgs *> arguments
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t col = panel * width
    p.kernels.pack_panel(
        p.oc, min(width, p.products - col), p.weight + col * p.oc * p.size, 1, p.oc,
        p.panels + col * p.oc * p.size)


cdef void multiply_row(
    const ScatterArgs *p, const char *dy, char *patches,
) noexcept nogil:
    """Multiply the pixels of one row of dy by all weights."""
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t col
    cdef Reduction reduction = one_run(p.oc, 1, width)
    col = 0
    while col < p.products:
        p.kernels.product(
            p.x.cols, min(width, p.products - col), dy, p.oc,
            p.panels + col * p.oc * p.size, patches + col * p.size, p.padded_products,
            NULL, False, &reduction)
        col += width


cdef void image_task(
    const void *arguments, Py_ssize_t image, char *scratch,
) noexcept nogil:
    """Compute dx of one image."""
    cdef const ScatterArgs *p = <const ScatterArgs *> arguments
    cdef const Images *x = &p.x
    cdef char *patches = scratch
    cdef char *padded = scratch + x.cols * p.padded_products * p.size
    cdef Py_ssize_t row_bytes = p.padded_w * x.c * p.size
    cdef Py_ssize_t run = p.kw * x.c  # reals of a patch that lie together in the image
    cdef Py_ssize_t runs = 1
    cdef Py_ssize_t row, ky, t
    cdef const char *patch
    cdef char *to
    if p.dilation_w > 1:
        run, runs = x.c, p.kw
    memset(padded, 0, p.padded_h * row_bytes)
    for row in range(x.rows):
        multiply_row(
            p, p.dy + (image * x.rows + row) * x.cols * p.oc * p.size, patches)
        for ky in range(p.kh):
            patch = patches + ky * p.kw * x.c * p.size
            to = padded + (row * x.step_h + ky * p.dilation_h) * row_bytes
            for t in range(runs):
                p.kernels.add_runs(
                    x.cols, run, patch + t * run * p.size, p.padded_products,
                    to + t * p.dilation_w * x.c * p.size, x.step_w * x.c)
    to = p.dx + image * x.h * x.w * x.c * p.size
    for row in range(x.h):
        memcpy(to + row * x.w * x.c * p.size,
               padded + (row + x.top) * row_bytes + x.left * x.c * p.size,
               x.w * x.c * p.size)


cdef Py_ssize_t thread_bytes(const ScatterArgs *p) noexcept nogil:
    return ((p.x.cols * p.padded_products + p.padded_h * p.padded_w * p.x.c) * p.size
            + 63) // 64 * 64


cdef Py_ssize_t scatter_bytes(ScatterArgs *p, int threads) noexcept nogil:
    """Plan the pass; return the bytes of memory that `run_scatter` needs."""
    cdef Py_ssize_t width = p.kernels.tile_cols
    p.products = p.kh * p.kw * p.x.c
    p.padded_products = (p.products + width - 1) // width * width
    # All windows and the whole image: some pixels may lie in no window.
    p.padded_h = max(p.x.top + p.x.h, (p.x.rows - 1) * p.x.step_h + p.x.span_h)
    p.padded_w = max(p.x.left + p.x.w, (p.x.cols - 1) * p.x.step_w + p.x.span_w)
    return threads * thread_bytes(p) + p.padded_products * p.oc * p.size


cdef void run_scatter(ScatterArgs *p, int threads, char *memory) noexcept nogil:
    """Pack the weights, then compute all images."""
    p.panels = memory + threads * thread_bytes(p)
    run_tasks(pack_task, p, p.padded_products // p.kernels.tile_cols, threads, NULL, 0)
    run_tasks(image_task, p, p.x.n, threads, memory, thread_bytes(p))
