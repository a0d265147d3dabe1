"""Depthwise convolution, forward and both gradients: a filter for each channel.

    y[n, i, j, c] = bias[c] + sum_{ky, kx} x[n, i s + ky d - p, j s + kx d - p, c]
                                           weight[ky, kx, c]

There is little to do for each real that is read, so nothing is copied: no padding, no
dilated image. Instead the windows are sorted by the taps that they meet. Those inside
the image meet all taps and go together as a rectangle; those at its border meet fewer
and go one row or column at a time. The micro-kernel (csrc/depthwise.c) gets a
rectangle and the list of its taps.

The gradient with respect to x gathers too: dx at row u sums over the taps ky with
u + p - ky d a multiple of the stride. These are the same for every s-th row, so the
rows, and columns, of dx fall into s phases, each a convolution of dy with some of the
taps.
"""

from libc.string cimport memset

cimport numpy as cnp

from fastdl.kernels.axis cimport Axis, first_offset, forward_axis, phase_axis
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.runtime cimport Task, microkernels, run_tasks, threads_for
from fastdl.kernels.engine.table cimport Depthwise, MicroKernels

cnp.import_array()

cdef enum:
    CHUNK_BYTES = 256 << 10  # of rows that a task reads or writes
    FETCH_BYTES = 512 << 10  # more than these are not in L2 before they are used
    PARTS = 8  # of the sums over pixels: enough that the threads even out
    # A long chain of additions loses digits, so there are about so many windows in a
    # chunk whose products are added up, but rows enough for the blocks of the kernel.
    CHAIN_WINDOWS = 4096
    MIN_CHAIN_ROWS = 4

cdef struct Phase:
    # Windows along one axis. Under tap t of window i lies the place
    # start + i * stride + t * taps.shift of `size` places.
    Axis taps
    Py_ssize_t start, stride, size, count
    Py_ssize_t inside, outside  # the first window within the image, the first after

cdef struct Span:
    # Windows that meet the taps [tap0, tap1).
    Py_ssize_t first, count, tap0, tap1

cdef struct DepthwiseArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    # The images that are read, and those of results (or of their gradient).
    const char *x
    char *y
    Py_ssize_t h, w, y_h, y_w, c
    Phase *rows
    Phase *cols
    Py_ssize_t row_phases, col_phases  # results are so many rows or columns apart
    Py_ssize_t kernel_w, weights  # taps of a row, reals of all
    char *weight  # or the gradient's sums: for each part dweight, then dbias
    const char *bias
    int activation
    Py_ssize_t chunk_rows, per_image, chunks, parts
    bint fetch  # rows ahead of their use
    int threads
    Py_ssize_t list_bytes  # of two lists of runs of taps
    Py_ssize_t scratch_bytes  # of a thread: the lists, then the sums of a chunk


cdef Phase new_phase(
    Axis taps, Py_ssize_t start, Py_ssize_t stride, Py_ssize_t size, Py_ssize_t count,
) noexcept nogil:
    cdef Phase phase
    cdef Py_ssize_t room = size - 1 - (taps.taps - 1) * taps.shift - start
    phase.taps, phase.start, phase.stride = taps, start, stride
    phase.size, phase.count = size, count
    phase.inside = 0 if start >= 0 else (stride - 1 - start) // stride
    phase.outside = 0 if room < 0 else min(count, room // stride + 1)
    return phase


cdef Span span_at(const Phase *phase, Py_ssize_t i, Py_ssize_t end) noexcept nogil:
    """Return window i and those before `end` that follow it and meet the same taps."""
    cdef Py_ssize_t place = phase.start + i * phase.stride
    cdef Py_ssize_t shift = phase.taps.shift
    cdef Span span
    span.first, span.count, span.tap0, span.tap1 = i, 1, 0, phase.taps.taps
    if phase.inside <= i < phase.outside:
        span.count = min(end, phase.outside) - i
        return span
    if place < 0:
        span.tap0 = min(span.tap1, (shift - 1 - place) // shift)
    if place >= phase.size:
        span.tap1 = span.tap0
    else:
        span.tap1 = max(
            span.tap0, min(span.tap1, (phase.size - 1 - place) // shift + 1))
    return span


cdef void list_taps(
    const DepthwiseArgs *p, const Phase *row, const Span *r, const Phase *col,
    const Span *q, const char *x, char *weight, char *scratch, Depthwise *g,
) noexcept nogil:
    """Describe the windows of two spans to the micro-kernel."""
    cdef const void **pixels = <const void **> scratch
    cdef void **weights = <void **> (scratch + p.list_bytes // 2)
    cdef Py_ssize_t top = row.start + r.first * row.stride
    cdef Py_ssize_t left = col.start + q.first * col.stride + q.tap0 * col.taps.shift
    cdef Py_ssize_t kernel_col = col.taps.first + q.tap0 * col.taps.step
    cdef Py_ssize_t tap
    g.runs, g.taps = r.tap1 - r.tap0, q.tap1 - q.tap0
    if g.taps == 0:
        g.runs = 0
    for tap in range(r.tap0, r.tap0 + g.runs):
        pixels[tap - r.tap0] = x + (
            ((top + tap * row.taps.shift) * p.w + left) * p.c * p.size)
        weights[tap - r.tap0] = weight + (
            ((row.taps.first + tap * row.taps.step) * p.kernel_w + kernel_col)
            * p.c * p.size)
    g.x, g.weight = pixels, weights
    g.rows, g.cols, g.channels = r.count, q.count, p.c
    g.x_row, g.x_col = row.stride * p.w * p.c, col.stride * p.c
    g.y_row, g.y_col = p.row_phases * p.y_w * p.c, p.col_phases * p.c
    g.x_tap, g.weight_tap = col.taps.shift * p.c, col.taps.step * p.c
    g.fresh = 0
    if p.fetch:
        g.fresh = min(g.runs, (row.stride + row.taps.shift - 1) // row.taps.shift)


cdef void sum_chunk(
    const DepthwiseArgs *p, Py_ssize_t index, char *part, char *scratch,
) noexcept nogil:
    """Compute a chunk of results, or, with the sums of a part, add their products."""
    cdef Py_ssize_t image = index // p.per_image
    cdef Py_ssize_t i0 = index % p.per_image * p.chunk_rows
    cdef const char *x = p.x + image * p.h * p.w * p.c * p.size
    cdef char *y
    cdef Py_ssize_t row_phase, col_phase, i, j, end
    cdef const Phase *row
    cdef const Phase *col
    cdef Span r, q
    cdef Depthwise g
    for row_phase in range(p.row_phases):
        row = p.rows + row_phase
        end = min(i0 + p.chunk_rows, row.count)
        i = i0
        while i < end:
            r = span_at(row, i, end)
            for col_phase in range(p.col_phases):
                col = p.cols + col_phase
                j = 0
                while j < col.count:
                    q = span_at(col, j, col.count)
                    y = p.y + ((
                        (image * p.y_h + row_phase + i * p.row_phases) * p.y_w
                        + col_phase + j * p.col_phases) * p.c) * p.size
                    if part == NULL:
                        list_taps(p, row, &r, col, &q, x, p.weight, scratch, &g)
                        p.kernels.depthwise(&g, p.bias, y)
                    else:
                        list_taps(p, row, &r, col, &q, x, part, scratch, &g)
                        p.kernels.depthwise_weight(&g, y, part + p.weights * p.size)
                    j += q.count
            i += r.count


cdef void result_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Compute a chunk of results."""
    cdef const DepthwiseArgs *p = <const DepthwiseArgs *> arguments
    cdef Py_ssize_t row = index % p.per_image * p.chunk_rows
    cdef Py_ssize_t reals = p.y_w * p.c
    cdef char *y
    sum_chunk(p, index, NULL, scratch)
    if p.activation:
        y = p.y + (index // p.per_image * p.y_h + row) * reals * p.size
        p.kernels.activation_forward(
            p.activation, 0.01, min(p.chunk_rows, p.y_h - row) * reals, y, y)


cdef void weight_task(
    const void *arguments, Py_ssize_t part, char *scratch,
) noexcept nogil:
    """Sum over all chunks of one part."""
    cdef const DepthwiseArgs *p = <const DepthwiseArgs *> arguments
    cdef Py_ssize_t chunk, reals = p.weights + p.c
    cdef char *sums = p.weight + part * reals * p.size
    cdef char *chunk_sums = scratch + p.list_bytes
    for chunk in range(p.chunks * part // p.parts, p.chunks * (part + 1) // p.parts):
        memset(chunk_sums, 0, reals * p.size)
        sum_chunk(p, chunk, chunk_sums, scratch)
        p.kernels.add_span(reals, chunk_sums, sums)


cdef bint is_depthwise(g):
    """Whether each channel has a filter of its own, and only one."""
    return 1 < g.groups == g.c == g.oc


cdef void set_phases(
    Phase *phases, Py_ssize_t count, bint turned, Py_ssize_t kernel, Py_ssize_t stride,
    Py_ssize_t dilation, Py_ssize_t before, Py_ssize_t size, Py_ssize_t results,
) noexcept nogil:
    cdef Py_ssize_t v
    cdef Axis taps
    for v in range(count):
        if turned:
            taps = phase_axis(kernel, dilation, stride, (v + before) % stride)
            phases[v] = new_phase(
                taps, -first_offset(&taps, dilation, stride, v + before), 1, size,
                (results - v + count - 1) // count)
        else:
            phases[v] = new_phase(
                forward_axis(kernel, dilation), -before, stride, size, results)


cdef Block plan(
    DepthwiseArgs *p, g, cnp.ndarray x, cnp.ndarray y, bint turned, bint summed,
):
    """Fill in all but weights and bias; return memory: for threads, then phases.

    There is a window on x for each pixel of y; `turned`: x is dy, and y is dx;
    `summed`: the products of a chunk are added up.
    """
    cdef Py_ssize_t kh = g.kh, taps = kh * g.kw
    cdef Py_ssize_t row_reals
    cdef Block block
    p.size = cnp.PyArray_ITEMSIZE(x)
    p.kernels = microkernels(<int> p.size)
    p.x, p.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
    p.h, p.w, p.c = x.shape[1], x.shape[2], x.shape[3]
    p.y_h, p.y_w = y.shape[1], y.shape[2]
    p.kernel_w, p.weights = g.kw, taps * p.c
    p.bias = NULL
    p.activation = 0
    p.row_phases = min(<Py_ssize_t> g.stride_h, p.y_h) if turned else 1
    p.col_phases = min(<Py_ssize_t> g.stride_w, p.y_w) if turned else 1

    row_reals = p.c * max(p.y_w * p.row_phases, p.w * <Py_ssize_t> g.stride_h)
    p.chunk_rows = max(<Py_ssize_t> 1, CHUNK_BYTES // (row_reals * p.size))
    if summed:
        p.chunk_rows = min(
            p.chunk_rows, max(MIN_CHAIN_ROWS, CHAIN_WINDOWS // p.y_w))
    p.per_image = (p.y_h + p.row_phases * p.chunk_rows - 1) // (
        p.row_phases * p.chunk_rows)
    p.chunks = x.shape[0] * p.per_image
    p.fetch = cnp.PyArray_NBYTES(x) + cnp.PyArray_NBYTES(y) > FETCH_BYTES
    p.threads = threads_for(<double> cnp.PyArray_SIZE(y) * taps / 16)
    p.list_bytes = (2 * kh * <Py_ssize_t> sizeof(void *) + 63) // 64 * 64
    p.scratch_bytes = p.list_bytes
    if summed:
        p.scratch_bytes += ((p.weights + p.c) * p.size + 63) // 64 * 64
    block = new_block(
        p.threads * p.scratch_bytes + (p.row_phases + p.col_phases) * sizeof(Phase))
    p.rows = <Phase *> (<char *> block.data + p.threads * p.scratch_bytes)
    p.cols = p.rows + p.row_phases
    set_phases(
        p.rows, p.row_phases, turned, kh, g.stride_h, g.dilation_h, g.top, p.h, p.y_h)
    set_phases(
        p.cols, p.col_phases, turned, g.kw, g.stride_w, g.dilation_w, g.left, p.w,
        p.y_w)
    return block


cdef run(DepthwiseArgs *p, Task task, Py_ssize_t tasks, Block block):
    with nogil:
        run_tasks(task, p, tasks, p.threads, <char *> block.data, p.scratch_bytes)


cdef depthwise_forward(
    g, cnp.ndarray x, cnp.ndarray weight, cnp.ndarray bias, int activation,
    cnp.ndarray y,
):
    """Fill y of shape (n, oh, ow, c); bias may be None."""
    cdef DepthwiseArgs p
    cdef Block block = plan(&p, g, x, y, False, False)
    p.weight = cnp.PyArray_BYTES(weight)
    p.activation = activation
    if bias is not None:
        p.bias = cnp.PyArray_BYTES(bias)
    run(&p, result_task, p.chunks, block)


cdef depthwise_backward_input(g, cnp.ndarray dy, cnp.ndarray weight, cnp.ndarray dx):
    """Fill dx of shape (n, h, w, c)."""
    cdef DepthwiseArgs p
    cdef Block block = plan(&p, g, dy, dx, True, False)
    p.weight = cnp.PyArray_BYTES(weight)
    run(&p, result_task, p.chunks, block)


cdef depthwise_backward_weight(g, cnp.ndarray dy, cnp.ndarray x):
    """Return (dweight, dbias) of shapes (kh, kw, 1, c) and (c,)."""
    cdef DepthwiseArgs p
    cdef Block block = plan(&p, g, x, dy, False, True)
    cdef cnp.npy_intp reals = p.weights + p.c
    cdef cnp.ndarray result = new_array(1, &reals, cnp.PyArray_TYPE(x))
    cdef char *sums = cnp.PyArray_BYTES(result)
    cdef Py_ssize_t part, part_bytes = reals * p.size
    cdef Block parts
    p.parts = min(<Py_ssize_t> PARTS, p.chunks)
    parts = new_block(p.parts * part_bytes)
    p.weight = <char *> parts.data
    memset(p.weight, 0, p.parts * part_bytes)
    run(&p, weight_task, p.parts, block)
    memset(sums, 0, part_bytes)
    for part in range(p.parts):
        p.kernels.add_span(reals, p.weight + part * part_bytes, sums)
    return result[:p.weights].reshape(g.kh, g.kw, 1, p.c), result[p.weights:]
