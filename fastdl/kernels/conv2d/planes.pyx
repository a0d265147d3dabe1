"""The input gradient by scattering, for few channels.

    product[ky, kx, c][i, j] = sum_o weight[ky, kx, c, o] dy[i, j, o]
    dx[i s + ky d - p, j s + kx d - p, c] += product[ky, kx, c][i, j]

As in scatter.pyx, but the products lie with the pixels of dy side by side: their
vectors are full however few the channels, and to scatter them is to add rows to rows of
planes, a plane for each channel and each column modulo the stride. When an image is
done its planes are interleaved. A task is an image.
"""

from libc.string cimport memcpy, memset

from fastdl.kernels.conv2d.algorithm cimport DIRECT, Algorithm
from fastdl.kernels.conv2d.problem cimport (
    INPUT_GRADIENT, Problem, window_h, window_w,
)
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport CACHE_LINE, ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    CHUNK_BYTES = 1 << 17  # of products, still cached when added; orders the sums
    MAX_CHANNELS = 6  # more fill the vectors of the other ways
    ADD_COST = 16  # of a product that is added to a plane, in multiply-adds

cdef struct Plan:
    const Problem *problem
    Py_ssize_t products  # kh * kw * c, for each pixel of dy
    Py_ssize_t chunk_rows  # rows of dy at a time
    Py_ssize_t pitch  # bytes from the products of one tap and channel to the next
    Py_ssize_t planes  # one for each channel and each column modulo the stride
    Py_ssize_t plane_h, plane_row  # rows of a plane, bytes of one
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *products
    char *panel  # of dy
    char *planes
    char *pixels  # of a row of the image


cdef bint fits(const Problem *p) noexcept nogil:
    return p.wanted == INPUT_GRADIENT and p.groups == 1 and p.c <= MAX_CHANNELS


cdef double cost(const Problem *p) noexcept nogil:
    return <double> p.n * p.oh * p.ow * p.kh * p.kw * p.c * (p.oc + ADD_COST)


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef const Problem *p = plan.problem
    cdef Scratch scratch
    scratch.products = take(memory, plan.products * plan.pitch)
    scratch.panel = take(memory, p.oc * p.kernels.tile_cols * p.size)
    scratch.planes = take(memory, plan.planes * plan.plane_h * plan.plane_row)
    scratch.pixels = take(memory, plan.planes * plan.plane_row)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Workspace scratch = workspace(NULL)
    cdef Py_ssize_t row_bytes = p.ow * p.size
    cdef Py_ssize_t padded_w
    plan.problem = p
    plan.products = p.kh * p.kw * p.c
    plan.chunk_rows = CHUNK_BYTES // max(<Py_ssize_t> 1, plan.products * row_bytes)
    plan.chunk_rows = max(<Py_ssize_t> 1, min(plan.chunk_rows, p.oh))
    # An odd number of lines: else the rows of a tile would share few sets of the cache.
    plan.pitch = (ceil_div(plan.chunk_rows * row_bytes, CACHE_LINE) | 1) * CACHE_LINE
    # All windows and the whole image: some pixels may lie in no window.
    padded_w = max(p.left + p.w, (p.ow - 1) * p.stride_w + window_w(p))
    plan.planes = p.stride_w * p.c
    plan.plane_h = max(p.top + p.h, (p.oh - 1) * p.stride_h + window_h(p))
    # Rows are added in whole vectors, which must not reach into the next row.
    plan.plane_row = p.size * max(
        ceil_div(padded_w, p.stride_w),
        (window_w(p) - 1) // p.stride_w + round_up(p.ow, p.kernels.lanes))
    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)


cdef void multiply_pixels(
    const Plan *plan, Py_ssize_t pixels, const char *dy, const Scratch *scratch,
) noexcept nogil:
    """Multiply all weights by some pixels of dy, a tile's width at a time."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t first = 0
    cdef Product product
    product.rows, product.a_row, product.c_row = (
        plan.products, p.oc * p.size, plan.pitch)
    product.a, product.b = p.weight, scratch.panel
    product.bias, product.accumulate = NULL, False
    product.k = one_run(p.oc, p.size, width * p.size)
    while first < pixels:
        product.cols = min(width, pixels - first)
        product.c = scratch.products + first * p.size
        p.kernels.pack_panel(
            p.oc, product.cols, dy + first * p.oc * p.size, p.size, p.oc * p.size,
            width, scratch.panel)
        p.kernels.product(&product)
        first += width


cdef void add_products(
    const Plan *plan, Py_ssize_t row, Py_ssize_t rows, const Scratch *scratch,
) noexcept nogil:
    """Add the products of `rows` rows of dy, from `row` on, to the planes."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t plane_bytes = plan.plane_h * plan.plane_row
    cdef Py_ssize_t ky, kx, c, col
    cdef const char *products = scratch.products
    cdef char *plane
    for ky in range(p.kh):
        for kx in range(p.kw):
            col = kx * p.dilation_w
            plane = scratch.planes + col % p.stride_w * p.c * plane_bytes + (
                (row * p.stride_h + ky * p.dilation_h) * plan.plane_row
                + col // p.stride_w * p.size)
            for c in range(p.c):
                p.kernels.add_rows(
                    rows, p.ow, products, p.ow * p.size, plane + c * plane_bytes,
                    p.stride_h * plan.plane_row)
                products += plan.pitch


cdef void image_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Compute dx of one image."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef Py_ssize_t plane_bytes = plan.plane_h * plan.plane_row
    cdef Py_ssize_t dy_row = p.ow * p.oc * p.size
    cdef Py_ssize_t dx_row = p.w * p.c * p.size
    cdef const char *dy = p.y + index * p.oh * dy_row
    cdef char *dx = p.x + index * p.h * dx_row
    cdef Py_ssize_t row = 0
    cdef Py_ssize_t rows
    memset(scratch.planes, 0, plan.planes * plane_bytes)
    while row < p.oh:
        rows = min(plan.chunk_rows, p.oh - row)
        multiply_pixels(plan, rows * p.ow, dy + row * dy_row, &scratch)
        add_products(plan, row, rows, &scratch)
        row += rows
    for row in range(p.h):
        p.kernels.interleave(
            plan.plane_row // p.size, plan.planes,
            scratch.planes + (row + p.top) * plan.plane_row, plane_bytes,
            scratch.pixels)
        memcpy(dx + row * dx_row, scratch.pixels + p.left * p.c * p.size, dx_row)


cdef void run(const void *arguments) noexcept nogil:
    cdef const Plan *plan = <const Plan *> arguments
    run_tasks(
        image_task, plan, plan.problem.n, plan.problem.threads, plan.scratch,
        plan.scratch_bytes)


algorithm = Algorithm(DIRECT, fits, cost, plan, run, sizeof(Plan))
