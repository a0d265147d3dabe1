"""The gradient of a convolution with respect to its input.

    dx[n, u, v] = sum_{i s + ky d - p = u, j s + kx d - p = v} dy[n, i, j]
                                                               weight[ky, kx]^T

With stride 1 it is a pass of conv2d.pyx over dy with the weights turned and transposed.
A few channels would leave most of a vector unused, so blocks of g pixels side by side
are then computed as the g c channels of one wide pixel. A block meets all taps of its
pixels; where a pixel does not meet one, the weight is 0. That costs some products, but
3 channels use 3 of 8 lanes and a block of two pixels 6.

With larger strides the gradient is scattered: conv2d_scatter.pyx. Only groups go
another way: rows u with equal (u + p) mod s meet the same taps, so there is one pass
for each phase of rows and columns.
"""

from libc.string cimport memset

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.algorithm cimport choose
from fastdl.kernels.arrays cimport as_real
from fastdl.kernels.conv2d cimport Axis, Conv2dArgs, forward_axis, run
from fastdl.kernels.conv2d_scatter cimport ScatterArgs, run_scatter, scatter_bytes
from fastdl.kernels.memory cimport Block, new_array, new_block
from fastdl.kernels.runtime cimport microkernels, threads_for

cnp.import_array()

cdef enum:
    MAX_PIXELS = 8  # of a block; more would be mostly zeros
    MAX_COLUMNS = 64  # channels of a block; more have no lanes to fill

cdef struct Width:
    # The geometry of columns.
    Py_ssize_t kernel, stride, dilation, left, w


cdef Axis phase_axis(
    Py_ssize_t kernel, Py_ssize_t dilation, Py_ssize_t stride, Py_ssize_t phase,
) noexcept nogil:
    """Return the taps k with k * dilation = phase (mod stride), the last one first.

    The last tap comes from the pixel of dy that lies highest.
    """
    cdef Axis axis
    cdef Py_ssize_t k
    axis.taps, axis.first, axis.step, axis.shift = 0, 0, 0, 1
    for k in range(kernel):
        if k * dilation % stride == phase:
            if axis.taps:
                axis.step = axis.first - k
                axis.shift = (k - axis.first) * dilation // stride
            axis.first = k
            axis.taps += 1
    return axis


cdef Py_ssize_t block_taps(const Width *w, Py_ssize_t pixels) noexcept nogil:
    """Return the columns of dy that a block of pixels meets."""
    return pixels + (w.kernel - 1) * w.dilation


cdef Py_ssize_t tap_of(const Width *w, Py_ssize_t pixel, Py_ssize_t j) noexcept nogil:
    """Return the tap kx through which a pixel of a block meets column j, or -1."""
    cdef Py_ssize_t offset = pixel + (w.kernel - 1) * w.dilation - j
    if offset < 0 or offset % w.dilation or offset // w.dilation >= w.kernel:
        return -1
    return offset // w.dilation


cdef double lane_use(Py_ssize_t columns, Py_ssize_t lanes) noexcept nogil:
    """Return which part of the lanes does useful work for so many columns."""
    return <double> columns / ((columns + lanes - 1) // lanes * lanes)


cdef Py_ssize_t best_block(
    const Width *w, Py_ssize_t c, Py_ssize_t lanes,
) noexcept nogil:
    """Return the number of pixels of the block that wastes least."""
    cdef Py_ssize_t best = 1, pixels = 1
    cdef double most = 0, use
    while pixels <= min(<Py_ssize_t> MAX_PIXELS, w.w):
        # Each pixel meets `kernel` of the taps of the block.
        use = lane_use(pixels * c, lanes) * w.kernel / block_taps(w, pixels)
        if pixels == 1:
            use = lane_use(c, lanes)
        if use > most:
            most = use
            best = pixels
        pixels += 1
        if pixels * c > MAX_COLUMNS:
            break
    return best


cdef void expand_weights(
    const Width *w, Py_ssize_t pixels, Py_ssize_t kh, Py_ssize_t c, Py_ssize_t oc,
    Py_ssize_t size, const char *weight, char *expanded,
) noexcept nogil:
    """Fill (kh, taps, oc, pixels * c) with the transposed weights of a block."""
    cdef Py_ssize_t taps = block_taps(w, pixels)
    cdef Py_ssize_t ky, j, g, kx, i, o
    cdef const char *source
    cdef char *to
    memset(expanded, 0, kh * taps * oc * pixels * c * size)
    for ky in range(kh):
        for j in range(taps):
            for g in range(pixels):
                kx = tap_of(w, g, j)
                if kx < 0:
                    continue
                source = weight + (ky * w.kernel + kx) * c * oc * size
                to = expanded + ((ky * taps + j) * oc * pixels + g) * c * size
                for o in range(oc):
                    for i in range(c):
                        if size == 4:
                            (<float *> to)[o * pixels * c + i] = (
                                <const float *> source)[i * oc + o]
                        else:
                            (<double *> to)[o * pixels * c + i] = (
                                <const double *> source)[i * oc + o]


cdef run_rows(
    Conv2dArgs *p, Py_ssize_t kernel, Py_ssize_t stride, Py_ssize_t dilation,
    Py_ssize_t top, Py_ssize_t h, Py_ssize_t row_reals, int algorithm,
):
    """Run the pass for each phase of the rows of dx, the first of which is at p.y."""
    cdef Py_ssize_t row
    cdef char *y = p.y
    for row in range(min(stride, h)):
        p.x.rows = (h - row + stride - 1) // stride
        p.taps_h = phase_axis(kernel, dilation, stride, (row + top) % stride)
        # The first row of dy under the first window is (row + top - ky d) / s.
        p.x.top = 0
        if p.taps_h.taps:
            p.x.top = (p.taps_h.first * dilation - row - top) // stride
        p.y = y + row * row_reals * p.size
        run(p, algorithm)


def conv2d_backward_input(
    dy, weight, input_shape, *, stride=1, padding=0, dilation=1, groups=1,
    algorithm=None,
):
    """Return the gradient with respect to x, of shape `input_shape`.

    dy is (n, oh, ow, oc), weight (kh, kw, c / groups, oc); the other arguments are
    those of the forward call.
    """
    cdef Conv2dArgs p
    cdef ScatterArgs scatter
    cdef int threads
    cdef Block block
    cdef Width w
    cdef cnp.ndarray dy_ = as_real(dy, "conv2d backward", "dy")
    cdef cnp.ndarray w_ = as_real(weight, "conv2d backward", "weight", dy_)
    cdef int choice = choose(algorithm)
    g = shapes.conv2d(
        input_shape, weight.shape, stride, padding, dilation, groups, "conv2d backward")
    shapes.check_shape("conv2d backward", "dy", dy.shape, (g.n, g.oh, g.ow, g.oc))
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = g.n, g.h, g.w, g.c
    cdef cnp.ndarray dx = new_array(4, shape, cnp.PyArray_TYPE(dy_))
    cdef Py_ssize_t kh = g.kh, stride_h = g.stride_h, dilation_h = g.dilation_h
    cdef Py_ssize_t top = g.top, h = g.h, c = g.c, oc = g.oc
    w.kernel, w.stride, w.dilation = g.kw, g.stride_w, g.dilation_w
    w.left, w.w = g.left, g.w

    p.size = cnp.PyArray_ITEMSIZE(dy_)
    p.kernels = microkernels(<int> p.size)
    p.bias = NULL
    p.activation = 0
    p.x.data = cnp.PyArray_BYTES(dy_)
    p.x.n, p.x.h, p.x.w, p.x.c = g.n, g.oh, g.ow, oc
    p.x.step_h = 1
    p.y_row = stride_h * w.w * c
    p.y_image = h * w.w * c
    p.groups = g.groups
    p.group_in = oc // p.groups
    p.group_out = c // p.groups
    p.depthwise = p.group_in == 1 and p.group_out == 1 and p.groups > 1

    if p.groups == 1 and (stride_h > 1 or w.stride > 1):
        scatter.kernels, scatter.size = p.kernels, p.size
        scatter.x.n, scatter.x.h, scatter.x.w, scatter.x.c = g.n, h, w.w, c
        scatter.x.top, scatter.x.left = top, w.left
        scatter.x.step_h, scatter.x.step_w = stride_h, w.stride
        scatter.x.span_h = (kh - 1) * dilation_h + 1
        scatter.x.span_w = (w.kernel - 1) * w.dilation + 1
        scatter.x.rows, scatter.x.cols = g.oh, g.ow
        scatter.kh, scatter.kw, scatter.oc = kh, w.kernel, oc
        scatter.dilation_h, scatter.dilation_w = dilation_h, w.dilation
        scatter.dy = p.x.data
        scatter.weight = cnp.PyArray_BYTES(w_)
        scatter.dx = cnp.PyArray_BYTES(dx)
        threads = threads_for(
            <double> cnp.PyArray_SIZE(dy_) * kh * w.kernel * c / 16)
        block = new_block(scatter_bytes(&scatter, threads))
        with nogil:
            run_scatter(&scatter, threads, <char *> block.data)
        return dx

    cdef Py_ssize_t v, pixels = 1
    if p.groups == 1:
        pixels = best_block(&w, c, p.kernels.tail_lanes)
    if pixels == 1:
        p.weight = cnp.PyArray_BYTES(w_)
        p.kernel_w = w.kernel
        p.weight_tap = p.group_out * oc
        p.weight_group = p.group_in
        p.weight_in, p.weight_out = 1, oc
        p.x.step_w = 1
        p.y_pixel = w.stride * c
        for v in range(min(w.stride, w.w)):
            p.x.cols = (w.w - v + w.stride - 1) // w.stride
            p.taps_w = phase_axis(
                w.kernel, w.dilation, w.stride, (v + w.left) % w.stride)
            p.x.left = 0
            if p.taps_w.taps:
                p.x.left = (p.taps_w.first * w.dilation - v - w.left) // w.stride
            p.y = cnp.PyArray_BYTES(dx) + v * c * p.size
            run_rows(&p, kh, stride_h, dilation_h, top, h, w.w * c, choice)
        return dx

    v = 0
    while v < w.w:  # the whole blocks, then the rest of each row as a smaller one
        pixels = min(pixels, w.w - v)
        p.kernel_w = block_taps(&w, pixels)
        block = new_block(kh * p.kernel_w * oc * pixels * c * p.size)
        expand_weights(
            &w, pixels, kh, c, oc, p.size, cnp.PyArray_BYTES(w_), <char *> block.data)
        p.weight = <char *> block.data
        p.weight_tap = oc * pixels * c
        p.weight_in, p.weight_out = pixels * c, 1
        p.group_out = pixels * c
        p.taps_w = forward_axis(p.kernel_w, 1)
        p.x.step_w = pixels
        p.x.cols = (w.w - v) // pixels
        p.x.left = (w.kernel - 1) * w.dilation - w.left - v
        p.y_pixel = pixels * c
        p.y = cnp.PyArray_BYTES(dx) + v * c * p.size
        run_rows(&p, kh, 1, dilation_h, top, h, w.w * c, choice)
        v += p.x.cols * pixels
    return dx
