"""The examples of a mini-batch: rows for csrc/gather.c, or copied as they are."""

cimport numpy as cnp
from libc.string cimport memcpy

import numpy as np

from fastdl import shapes
from fastdl.errors import DtypeError
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

cdef enum:
    TASK = 65536  # bytes read by a task, about

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
    cdef cnp.ndarray indices_ = shapes.rows(indices, len(x), "gather")
    cdef cnp.ndarray x_ = x
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
