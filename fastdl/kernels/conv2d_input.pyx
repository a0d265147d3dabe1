"""The gradient of a convolution with respect to its input.

    dx[n, u, v] = sum_{i s + ky d - p = u, j s + kx d - p = v} dy[n, i, j]
                                                               weight[ky, kx]^T

With stride 1 it is a pass of conv2d.pyx over dy with the weights turned and transposed.
With larger strides the gradient is scattered (conv2d_scatter.pyx), and so it is with
few channels, which would leave most of a vector unused (conv2d_planes.pyx). Only groups
go another way: rows u with equal (u + p) mod s meet the same taps, so there is one pass
for each phase of rows and columns.
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.algorithm cimport choose
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.axis cimport first_offset, phase_axis
from fastdl.kernels.conv2d cimport Conv2dArgs, run
from fastdl.kernels.conv2d_planes cimport planes_bytes, run_planes
from fastdl.kernels.conv2d_scatter cimport ScatterArgs, run_scatter, scatter_bytes
from fastdl.kernels.depthwise cimport depthwise_backward_input, is_depthwise
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.runtime cimport microkernels, threads_for

cnp.import_array()

cdef enum:
    PLANES_CHANNELS = 6  # at most; more fill the vectors of the other ways

cdef scatter(g, cnp.ndarray dy, cnp.ndarray weight, cnp.ndarray dx):
    """Fill dx by conv2d_planes.pyx or conv2d_scatter.pyx."""
    cdef ScatterArgs p
    cdef Block block
    p.size = cnp.PyArray_ITEMSIZE(dy)
    p.kernels = microkernels(<int> p.size)
    p.x.n, p.x.h, p.x.w, p.x.c = g.n, g.h, g.w, g.c
    p.x.top, p.x.left = g.top, g.left
    p.x.step_h, p.x.step_w = g.stride_h, g.stride_w
    p.x.rows, p.x.cols = g.oh, g.ow
    p.kh, p.kw, p.oc = g.kh, g.kw, g.oc
    p.dilation_h, p.dilation_w = g.dilation_h, g.dilation_w
    p.x.span_h = (p.kh - 1) * p.dilation_h + 1
    p.x.span_w = (p.kw - 1) * p.dilation_w + 1
    p.dy = cnp.PyArray_BYTES(dy)
    p.weight = cnp.PyArray_BYTES(weight)
    p.dx = cnp.PyArray_BYTES(dx)
    cdef bint planes = p.x.c <= PLANES_CHANNELS
    cdef int threads = threads_for(
        <double> cnp.PyArray_SIZE(dy) * p.kh * p.kw * p.x.c / 16)
    block = new_block(
        planes_bytes(&p, threads) if planes else scatter_bytes(&p, threads))
    with nogil:
        if planes:
            run_planes(&p, threads, <char *> block.data)
        else:
            run_scatter(&p, threads, <char *> block.data)


def conv2d_backward_input(
    dy, weight, input_shape, *, stride=1, padding=0, dilation=1, groups=1,
    algorithm=None,
):
    """Return the gradient with respect to x, of shape `input_shape`.

    dy is (n, oh, ow, oc), weight (kh, kw, c / groups, oc); the other arguments are
    those of the forward call.
    """
    cdef Conv2dArgs p
    cdef cnp.ndarray dy_ = as_real(dy, "conv2d backward", "dy")
    cdef cnp.ndarray w_ = as_real(weight, "conv2d backward", "weight", dy_)
    cdef int choice = choose(algorithm)
    g = shapes.conv2d(
        input_shape, weight.shape, stride, padding, dilation, groups, "conv2d backward")
    shapes.check_shape("conv2d backward", "dy", dy.shape, (g.n, g.oh, g.ow, g.oc))
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = g.n, g.h, g.w, g.c
    cdef cnp.ndarray dx = new_array(4, shape, cnp.PyArray_TYPE(dy_))
    if is_depthwise(g):
        depthwise_backward_input(g, dy_, w_, dx)
        return dx
    if g.groups == 1 and (
            g.stride_h > 1 or g.stride_w > 1 or g.c <= PLANES_CHANNELS):
        scatter(g, dy_, w_, dx)
        return dx

    cdef Py_ssize_t kh = g.kh, kw = g.kw, oc = g.oc
    cdef Py_ssize_t stride_h = g.stride_h, stride_w = g.stride_w
    cdef Py_ssize_t dilation_h = g.dilation_h, dilation_w = g.dilation_w
    cdef Py_ssize_t top = g.top, left = g.left, h = g.h, w = g.w, c = g.c
    cdef Py_ssize_t u, v
    p.size = cnp.PyArray_ITEMSIZE(dy_)
    p.kernels = microkernels(<int> p.size)
    p.bias = NULL
    p.activation = 0
    p.x.data = cnp.PyArray_BYTES(dy_)
    p.x.n, p.x.h, p.x.w, p.x.c = g.n, g.oh, g.ow, oc
    p.x.step_h = p.x.step_w = 1
    p.y_pixel = stride_w * c
    p.y_row = stride_h * w * c
    p.y_image = h * w * c
    p.groups = g.groups
    p.group_in = oc // p.groups
    p.group_out = c // p.groups
    p.weight = cnp.PyArray_BYTES(w_)
    p.kernel_w = kw
    p.weight_tap = p.group_out * oc
    p.weight_group = p.group_in
    p.weight_in, p.weight_out = 1, oc
    for u in range(min(stride_h, h)):
        p.x.rows = (h - u + stride_h - 1) // stride_h
        p.taps_h = phase_axis(kh, dilation_h, stride_h, (u + top) % stride_h)
        p.x.top = first_offset(&p.taps_h, dilation_h, stride_h, u + top)
        for v in range(min(stride_w, w)):
            p.x.cols = (w - v + stride_w - 1) // stride_w
            p.taps_w = phase_axis(kw, dilation_w, stride_w, (v + left) % stride_w)
            p.x.left = first_offset(&p.taps_w, dilation_w, stride_w, v + left)
            p.y = cnp.PyArray_BYTES(dx) + (u * w + v) * c * p.size
            run(&p, choice)
    return dx
