"""Convolution: y = g(bias + sum over a window of x times the weights).

    y[n, i, j] = g(bias + sum_{ky, kx} x[n, i s + ky d - p, j s + kx d - p]
                                       weight[ky, kx])

A pass goes over a grid of windows. The pixels under a window are `runs` of reals that
lie together: one row of a 3 x 3 kernel is 3 c reals of the NHWC image. So each window
is a row of a matrix that is never built (no im2col), and the register tile of
csrc/matmul.c multiplies these rows by the weights, packed into panels of its width.

The gradient with respect to x is made of the same passes: conv2d_input.pyx.
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.algorithm cimport choose, winograd_faster
from fastdl.kernels.engine.arrays cimport as_output, as_real, check_apart, overlaps
from fastdl.kernels.axis cimport forward_axis
from fastdl.kernels.depthwise cimport depthwise_forward, is_depthwise
from fastdl.kernels.images cimport (
    View, cut, padded_row, scratch_bytes, set_padded, view,
)
from fastdl.kernels.engine.memory cimport Block, new_block
from fastdl.kernels.engine.operands cimport pack_row
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.winograd cimport run_winograd, winograd_bytes, winograd_fits

cnp.import_array()

cdef enum:
    # Windows of a task: enough that a panel of weights, fetched from the L2 cache, is
    # used often; few enough that the pixels under them stay there too.
    CHUNK_WINDOWS = 256
    MIN_CHUNKS = 4  # of few windows, or a lone image would keep one thread busy
    MIN_WINDOWS = 64  # of these
    MIN_TASKS = 8  # enough that dynamic scheduling evens out the threads
    # Products that are added up at a time, about: a long chain loses digits, and the
    # weights of a short one stay in the L2 cache for all windows of a task.
    CHAIN = 1024

cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Pack one panel: for each tap, its input channels x `tile_cols` outputs."""
    cdef const Conv2dArgs *p = <const Conv2dArgs *> arguments
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t col = index % p.group_panels * width
    cdef const char *weight = p.weight + (
        index // p.group_panels * p.weight_group + col * p.weight_out) * p.size
    cdef char *panel = p.panels + index * p.panel_reals * p.size
    cdef Py_ssize_t t
    for t in range(p.taps_h.taps * p.taps_w.taps):
        p.kernels.pack_panel(
            p.group_in, min(width, p.group_out - col),
            weight + p.tap_weight[t] * p.size, p.weight_in, p.weight_out, panel)
        panel += p.group_in * width * p.size


cdef Py_ssize_t first_channel(const Conv2dArgs *p, Py_ssize_t panel) noexcept nogil:
    """Return the channel of the result where a panel begins."""
    return (panel // p.group_panels * p.group_out
            + panel % p.group_panels * p.kernels.tile_cols)


cdef void tile_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Compute a chunk of windows for some of the panels."""
    cdef const Conv2dArgs *p = <const Conv2dArgs *> arguments
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t panel0 = index % p.panel_groups * p.panels_per_group
    cdef Py_ssize_t panel1 = min(panel0 + p.panels_per_group, p.groups * p.group_panels)
    cdef View v = view(&p.x, &p.chunks, index // p.panel_groups, 0, p.x.c, scratch)
    cdef Py_ssize_t windows = v.images * v.rows * p.x.cols
    cdef Py_ssize_t step_row = p.x.step_h * v.row, step_col = p.x.step_w * v.c
    cdef char *y0 = p.y + (v.image0 * p.y_image + v.row0 * p.y_row) * p.size
    cdef Py_ssize_t panel, channel, cols, run, image, row
    cdef Py_ssize_t images = v.images, rows = v.rows, line = p.x.cols
    cdef const char *x
    cdef const char *weights
    cdef const char *bias
    cdef Reduction reduction = p.reduction
    # Windows that lie one step apart are one line: the more, the fuller the tiles.
    if step_row == line * step_col and p.y_row == line * p.y_pixel:
        line *= rows
        rows = 1
        if v.image == line * step_col and p.y_image == line * p.y_pixel:
            line *= images
            images = 1
    for panel in range(panel0, panel1):
        channel = first_channel(p, panel)
        cols = min(width, p.group_out - panel % p.group_panels * width)
        x = v.data + panel // p.group_panels * p.group_in * p.size
        bias = p.padded_bias + panel * width * p.size if p.bias != NULL else NULL
        run = 0
        while True:  # once even without taps: y is then the bias
            reduction.runs = min(p.chain_runs, p.reduction.runs - run)
            reduction.offset = p.reduction.offset + run
            weights = p.panels + (
                panel * p.panel_reals + run * reduction.length * width) * p.size
            for image in range(images):
                for row in range(rows):
                    p.kernels.product(
                        line, cols, x + (image * v.image + row * step_row) * p.size,
                        step_col, weights,
                        y0 + (image * p.y_image + row * p.y_row + channel) * p.size,
                        p.y_pixel, bias, run > 0, &reduction)
            run += p.chain_runs
            if run >= p.reduction.runs:
                break
    if p.activation:
        channel = first_channel(p, panel0)
        activate(p, y0 + channel * p.size, windows, first_channel(p, panel1) - channel)


cdef Py_ssize_t pass_bytes(const Conv2dArgs *p, int threads) noexcept nogil:
    """Return the bytes of all memory that `run_pass` cuts from its block."""
    cdef Py_ssize_t taps = p.taps_h.taps * p.taps_w.taps
    cdef Py_ssize_t panels = p.groups * p.group_panels
    return (
        threads * scratch_bytes(&p.x, &p.chunks, p.x.c)
        + panels * (p.panel_reals + p.kernels.tile_cols) * p.size
        + 2 * taps * sizeof(ptrdiff_t))


cdef void run_pass(Conv2dArgs *p, int threads, char *memory) noexcept nogil:
    """Pack the weights, then compute all windows."""
    cdef Py_ssize_t taps = p.taps_h.taps * p.taps_w.taps
    cdef Py_ssize_t panels = p.groups * p.group_panels
    cdef Py_ssize_t row = padded_row(&p.x, p.x.c) if p.x.padded else p.x.w * p.x.c
    cdef Py_ssize_t length = p.taps_w.taps * p.group_in
    cdef Py_ssize_t i, j, t = 0
    cdef char *scratch = memory
    memory += threads * scratch_bytes(&p.x, &p.chunks, p.x.c)
    p.panels = memory
    p.padded_bias = p.panels + panels * p.panel_reals * p.size
    memory = p.padded_bias + panels * p.kernels.tile_cols * p.size
    p.offset = <ptrdiff_t *> memory
    p.tap_weight = p.offset + taps

    for i in range(p.taps_h.taps):
        for j in range(p.taps_w.taps):
            p.offset[t] = i * p.taps_h.shift * row + j * p.taps_w.shift * p.x.c
            p.tap_weight[t] = (
                (p.taps_h.first + i * p.taps_h.step) * p.kernel_w
                + p.taps_w.first + j * p.taps_w.step) * p.weight_tap
            t += 1
    run_tasks(pack_task, p, panels, threads, NULL, 0)
    if p.bias != NULL:
        for i in range(p.groups):
            pack_row(
                p.kernels, p.group_out, p.bias + i * p.group_out * p.size,
                p.padded_bias + i * p.group_panels * p.kernels.tile_cols * p.size)
    p.reduction.step = 1
    p.reduction.b_stride = p.kernels.tile_cols
    p.reduction.offset = p.offset
    p.reduction.runs = taps
    p.reduction.length = p.group_in
    if p.groups == 1 and p.taps_w.shift == 1 and 0 < length <= CHAIN:
        # A row of taps is one run.
        p.reduction.runs = p.taps_h.taps
        p.reduction.length = length
        for i in range(p.taps_h.taps):
            p.offset[i] = i * p.taps_h.shift * row
    p.chain_runs = max(<Py_ssize_t> 1, CHAIN // p.reduction.length)
    run_tasks(tile_task, p, p.chunks.count * p.panel_groups, threads, scratch,
              scratch_bytes(&p.x, &p.chunks, p.x.c))


cdef void plan_pass(Conv2dArgs *p) noexcept nogil:
    """Fill in all that follows from the geometry."""
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t panels
    p.x.size = p.size
    p.x.span_h = (max(p.taps_h.taps, <Py_ssize_t> 1) - 1) * p.taps_h.shift + 1
    p.x.span_w = (max(p.taps_w.taps, <Py_ssize_t> 1) - 1) * p.taps_w.shift + 1
    set_padded(&p.x)
    p.chunks = cut(&p.x, min(
        <Py_ssize_t> CHUNK_WINDOWS,
        max(p.x.n * p.x.rows * p.x.cols // MIN_CHUNKS, MIN_WINDOWS)))
    p.group_panels = (p.group_out + width - 1) // width
    p.panel_reals = p.taps_h.taps * p.taps_w.taps * p.group_in * width
    panels = p.groups * p.group_panels
    p.panel_groups = 1
    if p.chunks.count:
        p.panel_groups = min(panels, (MIN_TASKS + p.chunks.count - 1) // p.chunks.count)
    p.panels_per_group = (panels + p.panel_groups - 1) // p.panel_groups
    p.panel_groups = (panels + p.panels_per_group - 1) // p.panels_per_group


cdef run(Conv2dArgs *p, int algorithm):
    """Choose the algorithm, and compute the pass with memory for its threads."""
    plan_pass(p)
    cdef int threads = threads_for(
        <double> p.x.n * p.x.rows * p.x.cols * p.panel_reals * p.groups
        * p.group_panels / 16)
    cdef bint winograd = winograd_fits(p) and winograd_faster(
        p.x.n, p.x.rows, p.x.cols, p.group_in, p.group_out, p.kernels.lanes, algorithm)
    cdef Block block = new_block(
        winograd_bytes(p, threads) if winograd else pass_bytes(p, threads))
    with nogil:
        if winograd:
            run_winograd(p, threads, <char *> block.data)
        else:
            run_pass(p, threads, <char *> block.data)


def conv2d_forward(
    x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1,
    activation=None, algorithm=None, out=None,
):
    """Return g(x * weight + bias) of shape (n, oh, ow, oc).

    x is (n, h, w, c), weight (kh, kw, c / groups, oc), bias (oc,) or None;
    `activation` is one of fastdl.shapes.ACTIVATIONS or None; `algorithm` "auto",
    "direct", "winograd" or None, the one set for all; `out` takes the result, and may
    share memory with bias only.
    """
    cdef Conv2dArgs p
    cdef cnp.ndarray x_ = as_real(x, "conv2d", "x")
    cdef cnp.ndarray w_ = as_real(weight, "conv2d", "weight", x_)
    cdef cnp.ndarray b_ = None
    g = shapes.conv2d(x.shape, weight.shape, stride, padding, dilation, groups)
    p.bias = NULL
    if bias is not None:
        b_ = as_real(bias, "conv2d", "bias", x_)
        shapes.check_shape("conv2d", "bias", bias.shape, (g.oc,))
        p.bias = cnp.PyArray_BYTES(b_)
    p.activation = 0
    if activation is not None:
        p.activation = shapes.activation_index(activation, "conv2d")
    cdef int choice = choose(algorithm)
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = g.n, g.oh, g.ow, g.oc
    cdef cnp.ndarray y = as_output(out, 4, shape, cnp.PyArray_TYPE(x_), "conv2d")
    if out is not None:
        check_apart("conv2d", ("out", "x", "weight"), (y, x_, w_), 1)
        if b_ is not None and overlaps(y, b_):
            b_ = b_.copy()
            p.bias = cnp.PyArray_BYTES(b_)
    if is_depthwise(g):
        depthwise_forward(g, x_, w_, b_, p.activation, y)
        return y

    p.size = cnp.PyArray_ITEMSIZE(x_)
    p.kernels = microkernels(<int> p.size)
    p.x.data = cnp.PyArray_BYTES(x_)
    p.x.n, p.x.h, p.x.w, p.x.c = g.n, g.h, g.w, g.c
    p.x.top, p.x.left = g.top, g.left
    p.x.step_h, p.x.step_w = g.stride_h, g.stride_w
    p.x.rows, p.x.cols = g.oh, g.ow
    p.taps_h = forward_axis(g.kh, g.dilation_h)
    p.taps_w = forward_axis(g.kw, g.dilation_w)
    p.kernel_w = g.kw
    p.y = cnp.PyArray_BYTES(y)
    p.y_pixel = g.oc
    p.y_row = p.y_pixel * p.x.cols
    p.y_image = p.y_row * p.x.rows
    p.groups = g.groups
    p.group_in = g.c // g.groups
    p.group_out = g.oc // g.groups
    p.weight = cnp.PyArray_BYTES(w_)
    p.weight_tap = p.group_in * g.oc
    p.weight_group = p.group_out
    p.weight_in, p.weight_out = g.oc, 1
    run(&p, choice)
    return y
