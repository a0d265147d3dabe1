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

from fastdl.kernels.conv2d.algorithm cimport DIRECT, Algorithm
from fastdl.kernels.conv2d.problem cimport (
    INPUT_GRADIENT, WEIGHT_GRADIENT, Problem,
)
from fastdl.kernels.engine.caches cimport l2_cache
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport MIN_TASKS, ceil_div
from fastdl.kernels.engine.table cimport Depthwise
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    SUMMED_BYTES = 256 << 10  # of rows whose products are added up in a chunk
    # A long chain of additions loses digits, so there are about so many windows in a
    # chunk whose products are added up, but rows enough for the blocks of the kernel.
    CHAIN_WINDOWS = 4096
    MIN_CHAIN_ROWS = 4

cdef struct Phase:
    # Windows along one axis. Under tap t of window i, number `first + t * step` of the
    # kernel, lies the place `start + i * stride + t * shift` of `size` places.
    Py_ssize_t taps, first, step, shift
    Py_ssize_t start, stride, size, count
    Py_ssize_t inside, outside  # the first window within the image, the first after

cdef struct Span:
    # Windows that meet the taps [tap0, tap1).
    Py_ssize_t first, count, tap0, tap1

cdef struct Plan:
    const Problem *problem
    # What is read, and what is written or, in the weight gradient, read beside it.
    const char *x
    char *y
    Py_ssize_t n, h, x_row, y_h, y_row  # rows, and bytes of one
    Py_ssize_t pixel  # bytes
    Phase *rows
    Phase *cols
    Py_ssize_t row_phases, col_phases  # results are so many rows or columns apart
    Py_ssize_t chunk_rows, per_image, chunks
    bint fetch  # rows ahead of their use
    char *scratch
    Py_ssize_t scratch_bytes
    # The sums of the weight gradient, each dweight, then dbias.
    Py_ssize_t sum_bytes
    Py_ssize_t parts  # of all chunks, with a sum each
    char *part_sums

cdef struct Scratch:  # of one thread
    const void **pixels  # under a run of taps,
    void **weights  # and its weights
    char *sums  # of a chunk


cdef bint fits(const Problem *p) noexcept nogil:
    """Whether each channel has a filter of its own, and only one."""
    return 1 < p.groups == p.c == p.oc


cdef double cost(const Problem *p) noexcept nogil:
    return <double> p.n * p.oh * p.ow * p.c * p.kh * p.kw


cdef Phase forward_phase(
    Py_ssize_t taps, Py_ssize_t stride, Py_ssize_t dilation, Py_ssize_t before,
) noexcept nogil:
    """Return all taps, for windows on x."""
    cdef Phase phase
    phase.taps, phase.first, phase.step, phase.shift = taps, 0, 1, dilation
    phase.start, phase.stride = -before, stride
    return phase


cdef Phase gradient_phase(
    Py_ssize_t kernel, Py_ssize_t stride, Py_ssize_t dilation, Py_ssize_t first,
) noexcept nogil:
    """Return the taps k with k * dilation = first (mod stride), for windows on dy.

    `first` is the first pixel of dx of the phase, in the padded image. The taps come
    in falling order: the last one meets the pixel of dy that lies highest.
    """
    cdef Phase phase
    cdef Py_ssize_t k
    phase.taps, phase.first, phase.step, phase.shift = 0, 0, 0, 1
    for k in range(kernel):
        if k * dilation % stride == first % stride:
            if phase.taps:
                phase.step = phase.first - k
                phase.shift = (k - phase.first) * dilation // stride
            phase.first = k
            phase.taps += 1
    phase.start = (first - phase.first * dilation) // stride if phase.taps else 0
    phase.stride = 1
    return phase


cdef Phase finished(Phase phase, Py_ssize_t size, Py_ssize_t count) noexcept nogil:
    """Find the windows that lie wholly inside the image."""
    cdef Py_ssize_t room = size - 1 - (phase.taps - 1) * phase.shift - phase.start
    phase.size, phase.count = size, count
    phase.inside = 0 if phase.start >= 0 else ceil_div(-phase.start, phase.stride)
    phase.outside = 0 if room < 0 else min(count, room // phase.stride + 1)
    return phase


cdef Span span_at(const Phase *phase, Py_ssize_t i, Py_ssize_t end) noexcept nogil:
    """Return window i and those before `end` that follow it and meet the same taps."""
    cdef Py_ssize_t place = phase.start + i * phase.stride
    cdef Span span
    span.first, span.count, span.tap0, span.tap1 = i, 1, 0, phase.taps
    if phase.inside <= i < phase.outside:
        span.count = min(end, phase.outside) - i
        return span
    if place < 0:
        span.tap0 = min(span.tap1, ceil_div(-place, phase.shift))
    if place >= phase.size:
        span.tap1 = span.tap0
    else:
        span.tap1 = max(
            span.tap0, min(span.tap1, (phase.size - 1 - place) // phase.shift + 1))
    return span


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    cdef Py_ssize_t pointers = plan.problem.kh * sizeof(void *)
    scratch.pixels = <const void **> take(memory, pointers)
    scratch.weights = <void **> take(memory, pointers)
    scratch.sums = take(memory, plan.sum_bytes)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef bint turned = p.wanted == INPUT_GRADIENT  # windows on dy for pixels of dx
    cdef bint summed = p.wanted == WEIGHT_GRADIENT
    cdef Py_ssize_t w = p.w, y_w = p.ow, row_bytes
    cdef Workspace scratch = workspace(NULL)
    plan.problem = p
    plan.pixel = p.c * p.size
    plan.x, plan.y = p.x, p.y
    plan.n, plan.h, plan.y_h = p.n, p.h, p.oh
    if turned:
        plan.x, plan.y = p.y, p.x
        plan.h, plan.y_h, w, y_w = p.oh, p.h, p.ow, p.w
    plan.x_row, plan.y_row = w * plan.pixel, y_w * plan.pixel
    plan.row_phases = min(p.stride_h, p.h) if turned else 1
    plan.col_phases = min(p.stride_w, p.w) if turned else 1

    row_bytes = max(plan.y_row * plan.row_phases, plan.x_row * p.stride_h)
    plan.chunk_rows = max(
        <Py_ssize_t> 1, (SUMMED_BYTES if summed else l2_cache // 4) // row_bytes)
    if summed:
        plan.chunk_rows = min(
            plan.chunk_rows, max(<Py_ssize_t> MIN_CHAIN_ROWS, CHAIN_WINDOWS // y_w))
    plan.per_image = ceil_div(plan.y_h, plan.row_phases * plan.chunk_rows)
    plan.chunks = p.n * plan.per_image
    plan.fetch = (  # where half of L2 does not hold all
        p.n * (plan.h * plan.x_row + plan.y_h * plan.y_row) > l2_cache // 2)
    plan.sum_bytes = (p.kh * p.kw + 1) * plan.pixel if summed else 0
    plan.parts = min(<Py_ssize_t> MIN_TASKS, plan.chunks)

    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)
    plan.part_sums = take(memory, plan.parts * plan.sum_bytes)
    plan.rows = <Phase *> take(memory, plan.row_phases * sizeof(Phase))
    plan.cols = <Phase *> take(memory, plan.col_phases * sizeof(Phase))
    if memory.memory != NULL:
        set_phases(
            plan.rows, plan.row_phases, turned, p.kh, p.stride_h, p.dilation_h, p.top,
            plan.h, plan.y_h)
        set_phases(
            plan.cols, plan.col_phases, turned, p.kw, p.stride_w, p.dilation_w, p.left,
            w, y_w)


cdef void set_phases(
    Phase *phases, Py_ssize_t count, bint turned, Py_ssize_t kernel, Py_ssize_t stride,
    Py_ssize_t dilation, Py_ssize_t before, Py_ssize_t size, Py_ssize_t results,
) noexcept nogil:
    cdef Py_ssize_t v
    if not turned:
        phases[0] = finished(
            forward_phase(kernel, stride, dilation, before), size, results)
        return
    for v in range(count):
        phases[v] = finished(
            gradient_phase(kernel, stride, dilation, v + before), size,
            ceil_div(results - v, count))


cdef Depthwise windows(
    const Plan *plan, const Phase *row, const Span *r, const Phase *col, const Span *q,
    Py_ssize_t image, char *weight, const Scratch *scratch,
) noexcept nogil:
    """Describe the windows of two spans to the micro-kernel."""
    cdef Depthwise g
    cdef Py_ssize_t tap, place
    cdef const char *x = plan.x + image * plan.h * plan.x_row + plan.pixel * (
        col.start + q.first * col.stride + q.tap0 * col.shift)
    weight += (col.first + q.tap0 * col.step) * plan.pixel
    g.taps = q.tap1 - q.tap0
    g.runs = r.tap1 - r.tap0 if g.taps else 0
    for tap in range(r.tap0, r.tap0 + g.runs):
        place = row.start + r.first * row.stride + tap * row.shift
        scratch.pixels[tap - r.tap0] = x + place * plan.x_row
        scratch.weights[tap - r.tap0] = weight + (
            row.first + tap * row.step) * plan.problem.kw * plan.pixel
    g.x, g.weight = scratch.pixels, scratch.weights
    g.rows, g.cols, g.channels = r.count, q.count, plan.problem.c
    g.x_row, g.x_col = row.stride * plan.x_row, col.stride * plan.pixel
    g.y_row, g.y_col = plan.row_phases * plan.y_row, plan.col_phases * plan.pixel
    g.x_tap, g.weight_tap = col.shift * plan.pixel, col.step * plan.pixel
    g.fresh = min(g.runs, ceil_div(row.stride, row.shift)) if plan.fetch else 0
    return g


cdef void visit(
    const Plan *plan, Py_ssize_t index, char *sums, const Scratch *scratch,
) noexcept nogil:
    """Compute a chunk of results or, with `sums`, add up their products."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t image = index // plan.per_image
    cdef Py_ssize_t i0 = index % plan.per_image * plan.chunk_rows
    cdef Py_ssize_t row_phase, col_phase, i, j, end
    cdef const Phase *row
    cdef const Phase *col
    cdef char *y
    cdef Span r, q
    cdef Depthwise g
    for row_phase in range(plan.row_phases):
        row = plan.rows + row_phase
        end = min(i0 + plan.chunk_rows, row.count)
        i = i0
        while i < end:
            r = span_at(row, i, end)
            for col_phase in range(plan.col_phases):
                col = plan.cols + col_phase
                j = 0
                while j < col.count:
                    q = span_at(col, j, col.count)
                    y = (
                        plan.y + (col_phase + j * plan.col_phases) * plan.pixel
                        + (image * plan.y_h + row_phase + i * plan.row_phases)
                        * plan.y_row)
                    if sums == NULL:
                        g = windows(plan, row, &r, col, &q, image, p.weight, scratch)
                        p.kernels.depthwise(&g, p.bias, y)
                    else:
                        g = windows(plan, row, &r, col, &q, image, sums, scratch)
                        p.kernels.depthwise_weight(
                            &g, y, sums + plan.sum_bytes - plan.pixel)
                    j += q.count
            i += r.count


cdef void result_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Compute a chunk of results."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef Py_ssize_t row = index % plan.per_image * plan.chunk_rows
    cdef char *y
    visit(plan, index, NULL, &scratch)
    if p.activation:
        y = plan.y + (index // plan.per_image * plan.y_h + row) * plan.y_row
        p.kernels.activate(
            p.activation, min(plan.chunk_rows, plan.y_h - row) * (plan.y_row // p.size),
            y)


cdef void sum_task(
    const void *arguments, Py_ssize_t part, char *memory,
) noexcept nogil:
    """Sum over all chunks of one part."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef char *sums = plan.part_sums + part * plan.sum_bytes
    cdef Py_ssize_t chunk
    memset(sums, 0, plan.sum_bytes)
    for chunk in range(
            plan.chunks * part // plan.parts, plan.chunks * (part + 1) // plan.parts):
        memset(scratch.sums, 0, plan.sum_bytes)
        visit(plan, chunk, scratch.sums, &scratch)
        p.kernels.add_span(plan.sum_bytes // p.size, scratch.sums, sums)


cdef void run(const void *arguments) noexcept nogil:
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t part
    if p.wanted != WEIGHT_GRADIENT:
        run_tasks(
            result_task, plan, plan.chunks, p.threads, plan.scratch,
            plan.scratch_bytes)
        return
    run_tasks(
        sum_task, plan, plan.parts, p.threads, plan.scratch, plan.scratch_bytes)
    memset(p.weight, 0, plan.sum_bytes)
    for part in range(plan.parts):
        p.kernels.add_span(
            plan.sum_bytes // p.size, plan.part_sums + part * plan.sum_bytes, p.weight)


algorithm = Algorithm(DIRECT, fits, cost, plan, run, sizeof(Plan))
