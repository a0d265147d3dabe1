"""Max, average and global average pooling: groups of rows for csrc/pool2d.c.

Forward, a task makes rows of y; backward, rows of dx. A global average is an average
whose window is the whole image; windows of unequal sizes are a resampling.
"""

cimport numpy as cnp

import numpy as np

from fastdl import shapes
from fastdl.errors import DtypeError
from fastdl.kernels.engine.arrays cimport as_array, as_real, kernels_of
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.resample cimport resample
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.sizes cimport round_up
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport Pool2d

cnp.import_array()

cdef enum:
    WORK = 6  # elementary operations a lane, about


cdef void set_sizes(Pool2d *p, object sizes, cnp.ndarray source):
    """Set the sizes and the source of `p` from a Pool2dShape."""
    p.n, p.h, p.w, p.c, p.kh, p.kw, p.oh, p.ow = sizes[:8]
    p.stride_h, p.stride_w = sizes.stride_h, sizes.stride_w
    p.top, p.left = sizes.top, sizes.left
    p.source = cnp.PyArray_DATA(source)


cdef cnp.dtype argmax_dtype(Pool2d *p, object sizes, str operation):
    """Return the type of a place in the window, after telling `p` its bytes."""
    cdef cnp.dtype dtype = shapes.argmax_dtype(sizes, operation)
    p.argmax_bytes = dtype.itemsize
    return dtype


cdef str rounding(object ceil_mode):
    return "ceil" if ceil_mode else "floor"


cdef void run_forward(SpanKernel kernel, const Pool2d *p, cnp.ndarray x):
    run_rows(kernel, p, x, p.n * p.oh, p.kh * p.kw * p.ow)


cdef void run_backward(SpanKernel kernel, const Pool2d *p, cnp.ndarray dy):
    run_rows(kernel, p, dy, p.n * p.h, p.w)


cdef void run_rows(
    SpanKernel kernel, const Pool2d *p, cnp.ndarray source, Py_ssize_t rows,
    Py_ssize_t pixels,
):
    """Make all rows; one reads `pixels`, whose channels fill whole vectors."""
    cdef Py_ssize_t channels = round_up(p.c, kernels_of(source).lanes)
    cdef double work = <double> WORK * rows * pixels * channels
    with nogil:
        run_spans(kernel, p, rows, span_rows(pixels * p.c), work)


cdef cnp.ndarray new_output(object sizes, int typenum):
    """Return a new array (n, oh, ow, c)."""
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = sizes.n, sizes.oh, sizes.ow, sizes.c
    return new_array(4, shape, typenum)


cdef cnp.ndarray new_input(object sizes, int typenum):
    """Return a new array (n, h, w, c)."""
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = sizes[:4]
    return new_array(4, shape, typenum)


def max_pool2d_forward(x, kernel_size, *, stride=None, padding=0, ceil_mode=False):
    """Compiled `fastdl.reference.pool2d.max_pool2d_forward`."""
    cdef Pool2d p
    cdef cnp.ndarray x_ = as_real(x, "max_pool2d", "x")
    cdef cnp.ndarray y, argmax
    sizes = shapes.pool2d(
        x.shape, kernel_size, stride, padding, "max_pool2d", rounding(ceil_mode))
    set_sizes(&p, sizes, x_)
    y = new_output(sizes, cnp.PyArray_TYPE(x_))
    argmax = new_output(sizes, argmax_dtype(&p, sizes, "max_pool2d").num)
    p.result = cnp.PyArray_DATA(y)
    p.argmax = cnp.PyArray_DATA(argmax)
    run_forward(kernels_of(x_).max_pool2d, &p, x_)
    return y, argmax


def max_pool2d_backward(
    dy, argmax, input_shape, kernel_size, *, stride=None, padding=0, ceil_mode=False,
):
    """Compiled `fastdl.reference.pool2d.max_pool2d_backward`."""
    cdef Pool2d p
    cdef str operation = "max_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    cdef cnp.ndarray argmax_, dx
    sizes = shapes.pool2d(
        input_shape, kernel_size, stride, padding, operation, rounding(ceil_mode))
    set_sizes(&p, sizes, dy_)
    output = (sizes.n, sizes.oh, sizes.ow, sizes.c)
    shapes.check_shape(operation, "dy", dy.shape, output)
    as_array(argmax, operation, "argmax")
    shapes.check_shape(operation, "argmax", argmax.shape, output)
    expected = argmax_dtype(&p, sizes, operation)
    if argmax.dtype != expected:
        raise DtypeError(
            f"{operation}: expected argmax of type {expected} from the forward pass, "
            f"got {argmax.dtype}")
    argmax_ = np.ascontiguousarray(argmax)
    dx = new_input(sizes, cnp.PyArray_TYPE(dy_))
    p.result = cnp.PyArray_DATA(dx)
    p.argmax = cnp.PyArray_DATA(argmax_)
    run_backward(kernels_of(dy_).max_pool2d_backward, &p, dy_)
    return dx


def avg_pool2d_forward(
    x, kernel_size, *, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
):
    """Compiled `fastdl.reference.pool2d.avg_pool2d_forward`."""
    cdef Pool2d p
    cdef cnp.ndarray x_ = as_real(x, "avg_pool2d", "x")
    cdef cnp.ndarray y
    sizes = shapes.pool2d(
        x.shape, kernel_size, stride, padding, "avg_pool2d", rounding(ceil_mode))
    if not shapes.has_equal_counts(sizes, count_include_pad):
        return resample(
            x_, shapes.pool2d_taps(sizes, bool(count_include_pad), x_.dtype, False))
    set_sizes(&p, sizes, x_)
    y = new_output(sizes, cnp.PyArray_TYPE(x_))
    p.result = cnp.PyArray_DATA(y)
    run_forward(kernels_of(x_).avg_pool2d, &p, x_)
    return y


def avg_pool2d_backward(
    dy, input_shape, kernel_size, *, stride=None, padding=0, ceil_mode=False,
    count_include_pad=True,
):
    """Compiled `fastdl.reference.pool2d.avg_pool2d_backward`."""
    cdef Pool2d p
    cdef str operation = "avg_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    cdef cnp.ndarray dx
    sizes = shapes.pool2d(
        input_shape, kernel_size, stride, padding, operation, rounding(ceil_mode))
    set_sizes(&p, sizes, dy_)
    shapes.check_shape(
        operation, "dy", dy.shape, (sizes.n, sizes.oh, sizes.ow, sizes.c))
    if not shapes.has_equal_counts(sizes, count_include_pad):
        return resample(
            dy_, shapes.pool2d_taps(sizes, bool(count_include_pad), dy_.dtype, True))
    dx = new_input(sizes, cnp.PyArray_TYPE(dy_))
    p.result = cnp.PyArray_DATA(dx)
    run_backward(kernels_of(dy_).avg_pool2d_backward, &p, dy_)
    return dx


def _whole_image(shape, operation):
    sizes = shapes.pool2d(shape, 1, operation=operation)  # checks the shape
    return sizes.h, sizes.w


def global_avg_pool2d_forward(x):
    """Compiled `fastdl.reference.pool2d.global_avg_pool2d_forward`."""
    cdef cnp.ndarray x_ = as_real(x, "global_avg_pool2d", "x")
    window = _whole_image(x.shape, "global_avg_pool2d")
    return avg_pool2d_forward(x_, window).reshape(x.shape[0], x.shape[3])


def global_avg_pool2d_backward(dy, input_shape):
    """Compiled `fastdl.reference.pool2d.global_avg_pool2d_backward`."""
    cdef str operation = "global_avg_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    window = _whole_image(input_shape, operation)
    n, _, _, c = input_shape
    shapes.check_shape(operation, "dy", dy.shape, (n, c))
    return avg_pool2d_backward((<object> dy_).reshape(n, 1, 1, c), input_shape, window)


def adaptive_avg_pool2d_forward(x, output_size):
    """Compiled `fastdl.reference.pool2d.adaptive_avg_pool2d_forward`."""
    cdef str operation = "adaptive_avg_pool2d"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    oh, ow = shapes.adaptive_pool2d(x.shape, output_size, operation)
    _, h, w, _ = x.shape
    if h % oh == 0 and w % ow == 0:  # windows side by side
        return avg_pool2d_forward(x_, (h // oh, w // ow))
    return resample(x_, (
        shapes.adaptive_taps(h, oh, x_.dtype, False),
        shapes.adaptive_taps(w, ow, x_.dtype, False)))


def adaptive_avg_pool2d_backward(dy, input_shape, output_size):
    """Compiled `fastdl.reference.pool2d.adaptive_avg_pool2d_backward`."""
    cdef str operation = "adaptive_avg_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    oh, ow = shapes.adaptive_pool2d(input_shape, output_size, operation)
    n, h, w, c = map(int, input_shape)
    shapes.check_shape(operation, "dy", dy.shape, (n, oh, ow, c))
    if h % oh == 0 and w % ow == 0:
        return avg_pool2d_backward(dy_, (n, h, w, c), (h // oh, w // ow))
    return resample(dy_, (
        shapes.adaptive_taps(h, oh, dy_.dtype, True),
        shapes.adaptive_taps(w, ow, dy_.dtype, True)))
