"""The input gradient of a strided convolution, by scattering.

    patch[i, j] = dy[i, j] weight^T, of kh x kw x c reals
    dx at the window of (i, j) += patch[i, j]

A window of dx gathers from few pixels of dy when the stride is large, and their number
differs from pixel to pixel; a pixel of dy always reaches a whole window. So each row of
dy is multiplied by all weights of a group at once, kh kw c columns wide with nothing
wasted, and the patches, still in the cache, are added to the image. A task is an image.
"""

from libc.string cimport memcpy, memset

from fastdl.kernels.conv2d.algorithm cimport DIRECT, Algorithm
from fastdl.kernels.conv2d.problem cimport (
    INPUT_GRADIENT, Problem, window_h, window_w,
)
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    ADD_COST = 12  # of a real of a patch, in multiply-adds

cdef struct Plan:
    const Problem *problem
    Py_ssize_t patch  # reals of a patch of one group
    Py_ssize_t group_panels
    Py_ssize_t patch_bytes  # in whole panels
    # dx of an image is summed up with its padding, then its inside is copied out.
    Py_ssize_t padded_h, padded_row  # rows, bytes of one
    char *panels  # of the weights
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *patches  # of a row of dy, for one group
    char *image  # dx of one, padded


cdef bint fits(const Problem *p) noexcept nogil:
    return p.wanted == INPUT_GRADIENT and (p.stride_h > 1 or p.stride_w > 1)


cdef double cost(const Problem *p) noexcept nogil:
    cdef Py_ssize_t patch = p.kh * p.kw * p.group_in
    return (<double> p.n * p.oh * p.ow) * (
        p.oc * round_up(patch, p.kernels.lanes) + ADD_COST * p.groups * patch)


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    scratch.patches = take(memory, plan.problem.ow * plan.patch_bytes)
    scratch.image = take(memory, plan.padded_h * plan.padded_row)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Workspace scratch = workspace(NULL)
    plan.problem = p
    plan.patch = p.kh * p.kw * p.group_in
    plan.group_panels = ceil_div(plan.patch, p.kernels.tile_cols)
    plan.patch_bytes = plan.group_panels * p.kernels.tile_cols * p.size
    # All windows and the whole image: some pixels may lie in no window.
    plan.padded_h = max(p.top + p.h, (p.oh - 1) * p.stride_h + window_h(p))
    plan.padded_row = p.c * p.size * max(
        p.left + p.w, (p.ow - 1) * p.stride_w + window_w(p))
    plan.panels = take(memory, p.oc * plan.patch_bytes)
    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)


cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Pack one panel of the transposed weights of a group: (group_out, patch)."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t group = index // plan.group_panels
    cdef Py_ssize_t col = index % plan.group_panels * p.kernels.tile_cols
    p.kernels.pack_panel(
        p.group_out, min(p.kernels.tile_cols, plan.patch - col),
        p.weight + (col * p.oc + group * p.group_out) * p.size, p.size, p.oc * p.size,
        p.kernels.tile_cols,
        plan.panels + index * p.group_out * p.kernels.tile_cols * p.size)


cdef void multiply_row(
    const Plan *plan, Py_ssize_t group, const char *dy, char *patches,
) noexcept nogil:
    """Multiply the pixels of one row of dy by all weights of a group."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t panel
    cdef Product product
    product.rows, product.a_row, product.c_row = p.ow, p.oc * p.size, plan.patch_bytes
    product.a = dy + group * p.group_out * p.size
    product.bias, product.accumulate = NULL, False
    product.k = one_run(p.group_out, p.size, width * p.size)
    for panel in range(plan.group_panels):
        product.cols = min(width, plan.patch - panel * width)
        product.b = plan.panels + (
            group * plan.group_panels + panel) * p.group_out * width * p.size
        product.c = patches + panel * width * p.size
        p.kernels.product(&product)


cdef void add_patches(
    const Plan *plan, Py_ssize_t group, Py_ssize_t row, const char *patches,
    char *image,
) noexcept nogil:
    """Add the patches of one row of dy to the padded image."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t pixel = p.c * p.size
    # Taps of a row of the kernel that lie together in the image.
    cdef Py_ssize_t taps = p.kw if p.groups == 1 and p.dilation_w == 1 else 1
    cdef Py_ssize_t run = taps * p.group_in
    cdef Py_ssize_t ky, kx
    cdef char *to
    for ky in range(p.kh):
        to = image + (row * p.stride_h + ky * p.dilation_h) * plan.padded_row
        for kx in range(p.kw // taps):
            p.kernels.add_runs(
                p.ow, run, patches, plan.patch_bytes,
                to + kx * p.dilation_w * pixel + group * p.group_in * p.size,
                p.stride_w * pixel)
            patches += run * p.size


cdef void image_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Compute dx of one image."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef Py_ssize_t row_bytes = p.w * p.c * p.size
    cdef Py_ssize_t row, group
    cdef const char *inside = scratch.image + (
        p.top * plan.padded_row + p.left * p.c * p.size)
    cdef char *dx = p.x + index * p.h * row_bytes
    memset(scratch.image, 0, plan.padded_h * plan.padded_row)
    for row in range(p.oh):
        for group in range(p.groups):
            multiply_row(
                plan, group, p.y + (index * p.oh + row) * p.ow * p.oc * p.size,
                scratch.patches)
            add_patches(plan, group, row, scratch.patches, scratch.image)
    for row in range(p.h):
        memcpy(dx + row * row_bytes, inside + row * plan.padded_row, row_bytes)


cdef void run(const void *arguments) noexcept nogil:
    """Pack the weights, then compute all images."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    run_tasks(pack_task, plan, p.groups * plan.group_panels, p.threads, NULL, 0)
    run_tasks(image_task, plan, p.n, p.threads, plan.scratch, plan.scratch_bytes)


algorithm = Algorithm(DIRECT, fits, cost, plan, run, sizeof(Plan))
