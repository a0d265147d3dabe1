# A pass each of whose results gathers the products of one window.
#
# The forward pass is one. So is the input gradient of stride 1: a convolution of dy
# with the weights turned by half a circle and transposed.

from fastdl.kernels.conv2d.images cimport Images, images_of_x
from fastdl.kernels.conv2d.problem cimport FORWARD, INPUT_GRADIENT, Problem
from fastdl.kernels.engine.table cimport MicroKernels

cdef struct Sweep:
    Images x  # what is read
    Py_ssize_t kh, kw, dilation_h, dilation_w
    Py_ssize_t groups, group_in, group_out  # channels of a group, read and written
    # The weight under the first pixel of a window, and bytes to the next row and
    # column of taps, group, channel that is read and channel that is written.
    const char *weight
    Py_ssize_t tap_row, tap_col, weight_group, weight_in, weight_out
    char *y  # what is written
    Py_ssize_t y_pixel, y_row, y_image  # bytes


cdef inline bint is_sweep(const Problem *p) noexcept nogil:
    return p.wanted == FORWARD or (
        p.wanted == INPUT_GRADIENT and p.stride_h == 1 and p.stride_w == 1)


cdef inline Sweep sweep_of(const Problem *p) noexcept nogil:
    cdef Sweep s
    cdef Py_ssize_t tap = p.group_in * p.oc * p.size
    s.x = images_of_x(p)
    s.kh, s.kw, s.dilation_h, s.dilation_w = p.kh, p.kw, p.dilation_h, p.dilation_w
    s.groups = p.groups
    s.weight_group = p.group_out * p.size
    if p.wanted == FORWARD:
        s.group_in, s.group_out = p.group_in, p.group_out
        s.weight = p.weight
        s.tap_row, s.tap_col = p.kw * tap, tap
        s.weight_in, s.weight_out = p.oc * p.size, p.size
        s.y, s.y_pixel = p.y, p.oc * p.size
    else:
        s.x.data = p.y
        s.x.h, s.x.w = p.oh, p.ow
        s.x.pixel = p.oc * p.size
        s.x.row = p.ow * s.x.pixel
        s.x.image = p.oh * s.x.row
        s.x.top, s.x.left = s.x.span_h - 1 - p.top, s.x.span_w - 1 - p.left
        s.x.rows, s.x.cols = p.h, p.w
        s.group_in, s.group_out = p.group_out, p.group_in
        s.weight = p.weight + (p.kh * p.kw - 1) * tap
        s.tap_row, s.tap_col = -p.kw * tap, -tap
        s.weight_in, s.weight_out = p.size, p.oc * p.size
        s.y, s.y_pixel = p.x, p.c * p.size
    s.y_row = s.x.cols * s.y_pixel
    s.y_image = s.x.rows * s.y_row
    return s


cdef inline void activate_channels(
    const MicroKernels *kernels, int activation, const Sweep *s, Py_ssize_t pixels,
    Py_ssize_t channels, char *y,
) noexcept nogil:
    """Apply the activation to some channels of pixels that follow one another."""
    if channels * kernels.real_bytes == s.y_pixel:  # all in one go
        channels *= pixels
        pixels = 1
    for _ in range(pixels):
        kernels.activate(activation, channels, y)
        y += s.y_pixel
