"""Max, average and global average pooling: groups of rows for csrc/pool2d.c.

Forward, a task makes rows of y; backward, rows of dx. A global average is an average
whose window is the whole image.
"""

cimport numpy as cnp

import numpy as np

from fastdl import shapes
from fastdl.errors import DtypeError
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport Task, microkernels, run_tasks, threads_for
from fastdl.kernels.engine.table cimport MicroKernels, Pool2d

cnp.import_array()

cdef enum:
    TASK = 16384  # elements read by a task, about
    WORK = 6  # elementary operations a lane, about

cdef struct PoolArgs:
    const MicroKernels *kernels
    Pool2d sizes
    Py_ssize_t rows  # of the result, in the whole batch
    Py_ssize_t rows_per_task
    const char *source  # x, or dy
    char *result  # y, or dx
    char *argmax


cdef void max_forward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const PoolArgs *p = <const PoolArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    p.kernels.max_pool2d(
        &p.sizes, row, min(row + p.rows_per_task, p.rows), p.source, p.result, p.argmax)


cdef void max_backward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const PoolArgs *p = <const PoolArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    p.kernels.max_pool2d_backward(
        &p.sizes, row, min(row + p.rows_per_task, p.rows), p.source, p.argmax, p.result)


cdef void avg_forward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const PoolArgs *p = <const PoolArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    p.kernels.avg_pool2d(
        &p.sizes, row, min(row + p.rows_per_task, p.rows), p.source, p.result)


cdef void avg_backward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const PoolArgs *p = <const PoolArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    p.kernels.avg_pool2d_backward(
        &p.sizes, row, min(row + p.rows_per_task, p.rows), p.source, p.result)


cdef void set_sizes(PoolArgs *p, object sizes, cnp.ndarray source):
    """Set the sizes and the source of `p` from a Pool2dShape."""
    cdef Pool2d *g = &p.sizes
    g.n, g.h, g.w, g.c, g.kh, g.kw, g.oh, g.ow = sizes[:8]
    g.stride_h, g.stride_w = sizes.stride_h, sizes.stride_w
    g.top, g.left = sizes.top, sizes.left
    g.argmax_bytes = 0
    p.kernels = microkernels(<int> cnp.PyArray_ITEMSIZE(source))
    p.source = cnp.PyArray_BYTES(source)


cdef cnp.dtype argmax_dtype(PoolArgs *p, object sizes, str operation):
    """Return the type of a place in the window, after telling `p` its bytes."""
    cdef cnp.dtype dtype = shapes.argmax_dtype(sizes, operation)
    p.sizes.argmax_bytes = dtype.itemsize
    return dtype


cdef void run_forward(Task task, PoolArgs *p) noexcept nogil:
    cdef const Pool2d *g = &p.sizes
    cdef double window = <double> g.kh * g.kw
    p.rows = g.n * g.oh
    run_rows(task, p, window * g.ow * g.c, window * g.ow * lanes(p))


cdef void run_backward(Task task, PoolArgs *p) noexcept nogil:
    cdef const Pool2d *g = &p.sizes
    p.rows = g.n * g.h
    run_rows(task, p, <double> g.w * g.c, <double> g.w * lanes(p))


cdef void run_rows(
    Task task, PoolArgs *p, double elements, double lanes,
) noexcept nogil:
    """Make all rows; one reads `elements` in vectors that have `lanes`."""
    p.rows_per_task = max(<Py_ssize_t> 1, <Py_ssize_t> (TASK / elements))
    run_tasks(
        task, p, (p.rows + p.rows_per_task - 1) // p.rows_per_task,
        threads_for(WORK * lanes * p.rows), NULL, 0)


cdef Py_ssize_t lanes(const PoolArgs *p) noexcept nogil:
    """Return the channels of a pixel, rounded up to whole vectors."""
    cdef Py_ssize_t width = p.kernels.lanes
    return (p.sizes.c + width - 1) // width * width


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


def max_pool2d_forward(x, kernel_size, *, stride=None, padding=0):
    """Return the maximum of each window, and where it was.

    Parameters
    ----------
    x : numpy.ndarray
        Images (n, h, w, c), float32 or float64.
    kernel_size, stride, padding
        See ``shapes.pool2d``.

    Returns
    -------
    y : numpy.ndarray
        (n, oh, ow, c), in the type of `x`; NaN where the window holds a NaN.
    argmax : numpy.ndarray
        The shape of y: p * kw + q of the first maximum in the window, uint8 when the
        window has at most 256 pixels, else int32.

    Raises
    ------
    DtypeError, ShapeError
        Among others, when the window has more than 2**31 pixels.
    """
    cdef PoolArgs p
    cdef cnp.ndarray x_ = as_real(x, "max_pool2d", "x")
    cdef cnp.ndarray y, argmax
    sizes = shapes.pool2d(x.shape, kernel_size, stride, padding, "max_pool2d")
    set_sizes(&p, sizes, x_)
    y = new_output(sizes, cnp.PyArray_TYPE(x_))
    argmax = new_output(sizes, argmax_dtype(&p, sizes, "max_pool2d").num)
    p.result = cnp.PyArray_BYTES(y)
    p.argmax = cnp.PyArray_BYTES(argmax)
    with nogil:
        run_forward(max_forward_task, &p)
    return y, argmax


def max_pool2d_backward(
    dy, argmax, input_shape, kernel_size, *, stride=None, padding=0,
):
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy : numpy.ndarray
        (n, oh, ow, c): the gradient at the output.
    argmax : numpy.ndarray
        From the forward pass.
    input_shape : tuple of int
        (n, h, w, c).
    kernel_size, stride, padding
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef PoolArgs p
    cdef str operation = "max_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    cdef cnp.ndarray argmax_, dx
    sizes = shapes.pool2d(input_shape, kernel_size, stride, padding, operation)
    set_sizes(&p, sizes, dy_)
    output = (sizes.n, sizes.oh, sizes.ow, sizes.c)
    shapes.check_shape(operation, "dy", dy.shape, output)
    shapes.check_shape(operation, "argmax", argmax.shape, output)
    expected = argmax_dtype(&p, sizes, operation)
    if argmax.dtype != expected:
        raise DtypeError(
            f"{operation}: expected argmax of type {expected} from the forward pass, "
            f"got {argmax.dtype}")
    argmax_ = np.ascontiguousarray(argmax)
    dx = new_input(sizes, cnp.PyArray_TYPE(dy_))
    p.result = cnp.PyArray_BYTES(dx)
    p.argmax = cnp.PyArray_BYTES(argmax_)
    with nogil:
        run_backward(max_backward_task, &p)
    return dx


def avg_pool2d_forward(x, kernel_size, *, stride=None, padding=0):
    """Return the mean of each window; padding counts as zeros.

    Parameters
    ----------
    x : numpy.ndarray
        Images (n, h, w, c), float32 or float64.
    kernel_size, stride, padding
        See ``shapes.pool2d``.

    Returns
    -------
    numpy.ndarray
        (n, oh, ow, c), in the type of `x`.

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef PoolArgs p
    cdef cnp.ndarray x_ = as_real(x, "avg_pool2d", "x")
    cdef cnp.ndarray y
    sizes = shapes.pool2d(x.shape, kernel_size, stride, padding, "avg_pool2d")
    set_sizes(&p, sizes, x_)
    y = new_output(sizes, cnp.PyArray_TYPE(x_))
    p.result = cnp.PyArray_BYTES(y)
    with nogil:
        run_forward(avg_forward_task, &p)
    return y


def avg_pool2d_backward(dy, input_shape, kernel_size, *, stride=None, padding=0):
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy : numpy.ndarray
        (n, oh, ow, c): the gradient at the output.
    input_shape : tuple of int
        (n, h, w, c).
    kernel_size, stride, padding
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef PoolArgs p
    cdef str operation = "avg_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    cdef cnp.ndarray dx
    sizes = shapes.pool2d(input_shape, kernel_size, stride, padding, operation)
    set_sizes(&p, sizes, dy_)
    shapes.check_shape(
        operation, "dy", dy.shape, (sizes.n, sizes.oh, sizes.ow, sizes.c))
    dx = new_input(sizes, cnp.PyArray_TYPE(dy_))
    p.result = cnp.PyArray_BYTES(dx)
    with nogil:
        run_backward(avg_backward_task, &p)
    return dx


def _whole_image(shape, operation):
    sizes = shapes.pool2d(shape, 1, operation=operation)  # checks the shape
    return sizes.h, sizes.w


def global_avg_pool2d_forward(x):
    """Return the mean of each channel over the whole image.

    Parameters
    ----------
    x : numpy.ndarray
        Images (n, h, w, c), float32 or float64.

    Returns
    -------
    numpy.ndarray
        (n, c), in the type of `x`.

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef cnp.ndarray x_ = as_real(x, "global_avg_pool2d", "x")
    window = _whole_image(x.shape, "global_avg_pool2d")
    return avg_pool2d_forward(x_, window).reshape(x.shape[0], x.shape[3])


def global_avg_pool2d_backward(dy, input_shape):
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy : numpy.ndarray
        (n, c): the gradient at the output.
    input_shape : tuple of int
        (n, h, w, c).

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c): each pixel has an equal share.

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef str operation = "global_avg_pool2d_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    window = _whole_image(input_shape, operation)
    n, _, _, c = input_shape
    shapes.check_shape(operation, "dy", dy.shape, (n, c))
    return avg_pool2d_backward((<object> dy_).reshape(n, 1, 1, c), input_shape, window)
