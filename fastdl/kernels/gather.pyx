"""Rows of an array, and their gradient.

Those of a mini-batch are made by csrc/gather.c, or copied as they are; the gradients of
a row that was taken several times are added, in their order.
"""

cimport numpy as cnp
from libc.string cimport memcpy, memset

import numpy as np

from fastdl import shapes
from fastdl.errors import DtypeError, ShapeError
from fastdl.kernels.engine.arrays cimport as_array, as_real, kernels_of
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

cdef enum:
    TASK = 65536  # bytes read by a task, about
    MAX_RANGES = 16  # of rows: each task looks at all indices

cdef struct GatherArgs:
    const MicroKernels *kernels  # NULL: rows are copied as they are
    Py_ssize_t n
    Py_ssize_t rows_per_task
    Py_ssize_t row, result_row  # bytes
    const cnp.npy_int64 *indices
    const char *x
    char *y


cdef void gather_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const GatherArgs *p = <const GatherArgs *> arguments
    cdef Py_ssize_t first = index * p.rows_per_task
    cdef Py_ssize_t i
    cdef const char *source
    for i in range(first, min(first + p.rows_per_task, p.n)):
        source = p.x + p.indices[i] * p.row
        if p.kernels == NULL:
            memcpy(p.y + i * p.row, source, p.row)
        else:
            p.kernels.bytes_to_unit(p.row, source, p.y + i * p.result_row)


def gather(x, indices):
    """Compiled `fastdl.reference.gather.gather`."""
    cdef GatherArgs p
    cdef cnp.ndarray x_ = as_array(x, "gather", "x")
    if x_.ndim == 0:
        raise ShapeError("gather: expected x (n, ...), got a number")
    cdef cnp.ndarray indices_ = shapes.rows(indices, len(x), "gather")
    cdef cnp.ndarray y
    cdef cnp.npy_intp shape[64]
    cdef int typenum = cnp.PyArray_TYPE(x_)
    cdef int axis
    if x.dtype.kind not in "biuf":
        raise DtypeError(f"gather: expected numbers, got x of type {x.dtype}")
    if not cnp.PyArray_ISCARRAY_RO(x_):  # a copy of the rows, not of everything
        x_ = np.require(x[indices_], x.dtype.newbyteorder("="), "CA")
        indices_ = np.arange(len(x_))
    p.n = shape[0] = len(indices_)
    p.row = cnp.PyArray_ITEMSIZE(x_)
    for axis in range(1, cnp.PyArray_NDIM(x_)):
        shape[axis] = cnp.PyArray_DIM(x_, axis)
        p.row *= shape[axis]
    p.kernels = NULL
    if typenum == cnp.NPY_UINT8:
        typenum = cnp.NPY_FLOAT
        p.kernels = microkernels(sizeof(float))
    y = new_array(cnp.PyArray_NDIM(x_), shape, typenum)
    if p.n == 0:  # the size of a row says nothing about memory
        return y
    p.result_row = cnp.PyArray_NBYTES(y) // p.n
    p.rows_per_task = max(<Py_ssize_t> 1, TASK // max(<Py_ssize_t> 1, p.row))
    p.indices = <const cnp.npy_int64 *> cnp.PyArray_DATA(indices_)
    p.x = cnp.PyArray_BYTES(x_)
    p.y = cnp.PyArray_BYTES(y)
    with nogil:
        run_tasks(
            gather_task, &p, ceil_div(p.n, p.rows_per_task),
            threads_for(<double> p.n * p.result_row), NULL, 0)
    return y


# The gradient ------------------------------------------------------------------------

cdef struct GatherBackwardArgs:
    const MicroKernels *kernels
    Py_ssize_t n, count  # rows of dy and of dx, in each of the leading blocks
    Py_ssize_t ranges, range_rows  # of dx that a task makes
    Py_ssize_t row, row_bytes
    const cnp.npy_int64 *indices
    const char *dy
    char *dx


cdef void gather_backward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const GatherBackwardArgs *p = <const GatherBackwardArgs *> arguments
    cdef Py_ssize_t block = index // p.ranges
    cdef Py_ssize_t first = index % p.ranges * p.range_rows
    cdef Py_ssize_t end = min(first + p.range_rows, p.count)
    cdef const char *dy = p.dy + block * p.n * p.row_bytes
    cdef char *dx = p.dx + block * p.count * p.row_bytes
    cdef Py_ssize_t i, to
    if first >= end:
        return
    memset(dx + first * p.row_bytes, 0, (end - first) * p.row_bytes)
    for i in range(p.n):
        to = p.indices[i]
        if first <= to < end:
            p.kernels.add_span(p.row, dy + i * p.row_bytes, dx + to * p.row_bytes)


def gather_backward(dy, indices, count, axis=0):
    """Compiled `fastdl.reference.gather.gather_backward`."""
    cdef GatherBackwardArgs p
    cdef str operation = "gather_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    count = shapes.integer(count, f"{operation}: count", 0)
    axis = shapes.integer(axis, f"{operation}: axis", 0)
    cdef cnp.ndarray indices_ = shapes.gathered(
        (<object> dy_).shape, indices, count, axis, operation)
    cdef cnp.ndarray dx
    cdef cnp.npy_intp shape[64]
    cdef Py_ssize_t blocks = 1
    cdef int i
    shapes.check_elements(
        operation, "dx", (*dy.shape[:axis], count, *dy.shape[axis + 1:]))
    p.row = 1
    for i in range(cnp.PyArray_NDIM(dy_)):
        shape[i] = cnp.PyArray_DIM(dy_, i)
        if i < axis:
            blocks *= shape[i]
        elif i > axis:
            p.row *= shape[i]
    p.n, p.count = shape[axis], count
    shape[axis] = p.count
    dx = new_array(cnp.PyArray_NDIM(dy_), shape, cnp.PyArray_TYPE(dy_))
    if cnp.PyArray_SIZE(dx) == 0:
        return dx
    p.kernels = kernels_of(dy_)
    p.row_bytes = p.row * cnp.PyArray_ITEMSIZE(dy_)
    p.ranges = min(
        max(<Py_ssize_t> 1, MAX_RANGES // blocks),
        ceil_div(count * p.row_bytes, TASK))
    p.range_rows = ceil_div(count, p.ranges)
    p.indices = <const cnp.npy_int64 *> cnp.PyArray_DATA(indices_)
    p.dy, p.dx = cnp.PyArray_BYTES(dy_), cnp.PyArray_BYTES(dx)
    with nogil:
        run_tasks(
            gather_backward_task, &p, blocks * p.ranges,
            threads_for(<double> blocks * (p.count + p.n) * p.row), NULL, 0)
    return dx
