"""The gradient of a convolution with respect to weights and bias.

    dweight[ky, kx] = sum_{n, i, j} x[n, i s + ky d - p, j s + kx d - p]^T dy[n, i, j]
    dbias           = sum_{n, i, j} dy[n, i, j]

A product over pixels, both of whose operands are read in place: a row of the left one
is a channel of x under one tap, walked from window to window; the right one is dy.

The pixels are cut into chunks, and the chunks into `parts` with a sum of their own,
added in order at the end. Where the weights are too large for many copies, the input
channels are cut into `slices` instead. Both depend on the shape alone.
"""

from libc.string cimport memset

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.algorithm cimport choose, winograd_faster
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.depthwise cimport depthwise_backward_weight, is_depthwise
from fastdl.kernels.images cimport View, cut, scratch_bytes, set_padded, view
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.table cimport MicroKernels, Reduction
from fastdl.kernels.winograd_weight cimport (
    run_winograd_weight, winograd_weight_bytes, winograd_weight_fits,
)

cnp.import_array()

cdef enum:
    MAX_ROWS = 16  # rows of the largest tile
    # Windows of a chunk: a panel of dy of this height fills most of the L1 cache, and
    # the more of them, the less the sums are fetched and stored.
    CHUNK_WINDOWS = 256
    TASKS = 8  # enough that dynamic scheduling evens out the threads
    PARTS_BYTES = 4 << 20  # of all parts together
    SLICE_CHANNELS = 16  # at least, or too little is gained from each fetch of dy
    SPAN = 4096  # reals of a task that adds up the parts

cdef char *part_sums(const WeightArgs *p, Py_ssize_t part) noexcept nogil:
    return p.result if part == 0 else p.others + (part - 1) * p.part_reals * p.size


cdef void weight_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Sum over all chunks of one part, for one slice of the input channels."""
    cdef const WeightArgs *p = <const WeightArgs *> arguments
    cdef Py_ssize_t part = index // p.slices
    cdef Py_ssize_t channel = index % p.slices * p.slice_in
    cdef Py_ssize_t channels = min(p.slice_in, p.group_in - channel)
    cdef Py_ssize_t first = p.chunks.count * part // p.parts
    cdef Py_ssize_t last = p.chunks.count * (part + 1) // p.parts
    cdef char *sums = part_sums(p, part)
    cdef char *rest = scratch + p.view_bytes
    cdef const char *dy
    cdef Py_ssize_t chunk
    cdef View v
    for chunk in range(first, last):
        if p.slices == 1:  # all groups
            v = view(&p.x, &p.chunks, chunk, 0, p.x.c, scratch)
        else:
            v = view(&p.x, &p.chunks, chunk, channel, channels, scratch)
        dy = p.dy + (
            (v.image0 * p.x.rows + v.row0) * p.x.cols * p.oc * p.size)
        tile_chunk(p, &v, dy, channel, channels, sums, rest)
        if channel == 0:
            p.kernels.column_sum(
                v.images * v.rows * p.x.cols, p.oc, dy, p.oc,
                sums + p.weights * p.size)


cdef void tile_chunk(
    const WeightArgs *p, const View *v, const char *dy, Py_ssize_t channel,
    Py_ssize_t channels, char *sums, char *scratch,
) noexcept nogil:
    """Add the products of one chunk, tile by tile of (taps and channels, outputs)."""
    cdef const MicroKernels *kernels = p.kernels
    cdef Py_ssize_t width = kernels.tile_cols
    cdef Py_ssize_t windows = v.images * v.rows * p.x.cols
    cdef Py_ssize_t count = p.kh * p.kw * channels  # rows of the left operand
    cdef Py_ssize_t group, col, cols, done, rows, r, ky, kx, c
    cdef ptrdiff_t *offset = <ptrdiff_t *> scratch
    cdef char *packed = scratch + p.offsets * sizeof(ptrdiff_t)
    cdef const char *right
    cdef const char *tap
    cdef const void *a[MAX_ROWS]
    cdef void *sum[MAX_ROWS]
    cdef Reduction reduction
    reduction.offset = offset
    reduction.runs = v.images * v.rows
    reduction.length = p.x.cols
    reduction.step = p.x.step_w * v.c
    for r in range(reduction.runs):
        offset[r] = r // v.rows * v.image + r % v.rows * p.x.step_h * v.row
    for group in range(p.groups):
        col = 0
        while col < p.group_out:
            cols = min(width, p.group_out - col)
            right = dy + (group * p.group_out + col) * p.size
            reduction.b_stride = p.oc
            if right + ((windows - 1) * p.oc + width) * p.size > p.dy_end:
                # The tile reads whole vectors, here beyond the end of dy.
                kernels.pack_panel(windows, cols, right, p.oc, 1, packed)
                right = packed
                reduction.b_stride = width
            ky = kx = c = done = 0
            tap = v.data + group * p.group_in * p.size
            while done < count:
                rows = min(kernels.tile_rows, count - done)
                for r in range(rows):
                    a[r] = tap + c * p.size
                    sum[r] = sums + (
                        ((ky * p.kw + kx) * p.group_in + channel + c) * p.oc
                        + group * p.group_out + col) * p.size
                    c += 1
                    if c == channels:
                        c = 0
                        kx += 1
                        if kx == p.kw:
                            kx = 0
                            ky += 1
                        tap = v.data + (
                            group * p.group_in + ky * p.dilation_h * v.row
                            + kx * p.dilation_w * v.c) * p.size
                kernels.tile(rows, cols, a, right, sum, NULL, True, &reduction)
                done += rows
            col += width


cdef void reduce_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Add a span of all parts, in order, into the first one."""
    cdef const WeightArgs *p = <const WeightArgs *> arguments
    cdef Py_ssize_t first = index * SPAN
    cdef Py_ssize_t n = min(<Py_ssize_t> SPAN, p.part_reals - first)
    cdef Py_ssize_t part
    for part in range(1, p.parts):
        p.kernels.add_span(
            n, part_sums(p, part) + first * p.size, p.result + first * p.size)


cdef void run_sums(
    WeightArgs *p, int threads, char *memory, Py_ssize_t scratch,
) noexcept nogil:
    """Sum up the parts, then add them."""
    p.others = memory + threads * scratch
    memset(p.result, 0, p.part_reals * p.size)
    memset(p.others, 0, (p.parts - 1) * p.part_reals * p.size)
    run_tasks(weight_task, p, p.parts * p.slices, threads, memory, scratch)
    if p.parts > 1:
        run_tasks(
            reduce_task, p, (p.part_reals + SPAN - 1) // SPAN, threads, NULL, 0)


def conv2d_backward_weight(
    dy, x, kernel_size, *, stride=1, padding=0, dilation=1, groups=1, algorithm=None,
):
    """Return (dweight, dbias) of shapes (kh, kw, c / groups, oc) and (oc,).

    dy is (n, oh, ow, oc), x (n, h, w, c), kernel_size an integer or (kh, kw); the
    other arguments are those of the forward call.
    """
    cdef WeightArgs p
    cdef cnp.ndarray x_ = as_real(x, "conv2d backward", "x")
    cdef cnp.ndarray dy_ = as_real(dy, "conv2d backward", "dy", x_)
    kernel = shapes.pair(kernel_size, "conv2d backward: kernel_size")
    groups = shapes.integer(groups, "conv2d backward: groups")
    weight_shape = (*kernel, x.shape[-1] // groups, dy.shape[-1])
    g = shapes.conv2d(
        x.shape, weight_shape, stride, padding, dilation, groups, "conv2d backward")
    shapes.check_shape("conv2d backward", "dy", dy.shape, (g.n, g.oh, g.ow, g.oc))
    if is_depthwise(g):
        return depthwise_backward_weight(g, dy_, x_)
    p.size = cnp.PyArray_ITEMSIZE(x_)
    p.kernels = microkernels(<int> p.size)
    p.x.data = cnp.PyArray_BYTES(x_)
    p.x.size = p.size
    p.x.n, p.x.h, p.x.w, p.x.c = g.n, g.h, g.w, g.c
    p.x.top, p.x.left = g.top, g.left
    p.x.step_h, p.x.step_w = g.stride_h, g.stride_w
    p.x.rows, p.x.cols = g.oh, g.ow
    p.kh, p.kw = g.kh, g.kw
    p.dilation_h, p.dilation_w = g.dilation_h, g.dilation_w
    p.x.span_h = (p.kh - 1) * p.dilation_h + 1
    p.x.span_w = (p.kw - 1) * p.dilation_w + 1
    set_padded(&p.x)
    p.chunks = cut(&p.x, CHUNK_WINDOWS)
    p.dy = cnp.PyArray_BYTES(dy_)
    p.dy_end = p.dy + cnp.PyArray_NBYTES(dy_)
    p.oc, p.groups = g.oc, g.groups
    p.group_in = g.c // g.groups
    p.group_out = g.oc // g.groups

    p.weights = p.kh * p.kw * p.group_in * p.oc
    p.part_reals = p.weights + p.oc
    p.parts = min(<Py_ssize_t> TASKS, PARTS_BYTES // (p.part_reals * p.size))
    p.parts = max(<Py_ssize_t> 1, min(p.parts, p.chunks.count))
    p.slices = 1
    if p.groups == 1:
        p.slices = max(<Py_ssize_t> 1, min(
            (TASKS + p.parts - 1) // p.parts, p.group_in // SLICE_CHANNELS))
    p.slice_in = (p.group_in + p.slices - 1) // p.slices
    p.slices = (p.group_in + p.slice_in - 1) // p.slice_in

    cdef int choice = choose(algorithm)
    cdef cnp.npy_intp n = p.part_reals
    cdef cnp.ndarray result = new_array(1, &n, cnp.PyArray_TYPE(x_))
    p.result = cnp.PyArray_BYTES(result)
    p.offsets = p.chunks.images * p.chunks.rows
    p.view_bytes = scratch_bytes(&p.x, &p.chunks, p.x.c)
    cdef Py_ssize_t scratch = p.view_bytes + p.offsets * sizeof(ptrdiff_t) + (
        p.chunks.images * p.chunks.rows * p.x.cols * p.kernels.tile_cols * p.size)
    scratch = (scratch + 63) // 64 * 64
    cdef int threads = threads_for(
        <double> p.x.n * p.x.rows * p.x.cols * p.weights / 16)
    cdef bint winograd = winograd_weight_fits(&p) and winograd_faster(
        p.x.n, p.x.rows, p.x.cols, p.group_in, p.group_out, p.kernels.lanes, choice)
    cdef Block block = new_block(
        winograd_weight_bytes(&p) if winograd
        else threads * scratch + (p.parts - 1) * p.part_reals * p.size)
    with nogil:
        if winograd:
            run_winograd_weight(&p, threads, <char *> block.data)
        else:
            run_sums(&p, threads, <char *> block.data, scratch)
    dweight = result[:p.weights].reshape(p.kh, p.kw, p.group_in, p.oc)
    return dweight, result[p.weights:]
