"""Weighted sums of rows and columns of images: groups of rows for csrc/resample.c."""

cimport numpy as cnp

from fastdl.kernels.engine.arrays cimport kernels_of
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.runtime cimport run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport CACHE_LINE, ceil_div, round_up
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport MicroKernels, Resample, Taps

cnp.import_array()

cdef enum:
    WORK = 3  # elementary operations a lane of each tap, about

cdef struct Groups:
    const MicroKernels *kernels
    Resample resample
    Py_ssize_t rows, length


cdef cnp.ndarray resample(cnp.ndarray x, object taps):
    """Return images of which each pixel is a weighted sum of pixels of x.

    x is contiguous; `taps` are of its rows and its columns (fastdl/shapes/resample.py),
    in its type.
    """
    rows, cols = taps
    cdef Groups g
    cdef Resample *p = &g.resample
    cdef cnp.npy_intp shape[4]
    cdef cnp.ndarray y
    cdef Block block
    cdef Py_ssize_t lanes, scratch
    cdef int threads
    cdef double work
    g.kernels = kernels_of(x)
    p.n, p.h, p.w, p.c = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
    p.rows, p.cols = taps_of(rows), taps_of(cols)
    p.oh, p.ow = len(rows.firsts), len(cols.firsts)
    shape[0], shape[1], shape[2], shape[3] = p.n, p.oh, p.ow, p.c
    y = new_array(4, shape, cnp.PyArray_TYPE(x))
    p.x, p.y = cnp.PyArray_DATA(x), cnp.PyArray_DATA(y)
    g.rows = p.n * p.oh
    g.length = span_rows(max(p.w, p.ow) * p.c)
    lanes = g.kernels.lanes
    work = all_taps(&p.rows, p.oh) * <double> p.w
    work += all_taps(&p.cols, p.ow) * <double> p.oh
    work *= WORK * p.n * round_up(p.c, lanes)
    threads = threads_for(work)
    scratch = round_up(
        (round_up(p.w * p.c, lanes) + lanes) * g.kernels.real_bytes, CACHE_LINE)
    block = new_block(threads * scratch)
    with nogil:
        run_tasks(
            group_task, &g, ceil_div(g.rows, g.length), threads, <char *> block.data,
            scratch)
    return y


cdef Taps taps_of(object taps):
    cdef Taps result
    cdef cnp.ndarray first = taps.firsts, count = taps.counts, weight = taps.weights
    result.most = weight.shape[1]
    result.first = <const ptrdiff_t *> cnp.PyArray_DATA(first)
    result.count = <const ptrdiff_t *> cnp.PyArray_DATA(count)
    result.weight = cnp.PyArray_DATA(weight)
    return result


cdef Py_ssize_t all_taps(const Taps *taps, Py_ssize_t pixels) noexcept nogil:
    cdef Py_ssize_t total = 0
    for i in range(pixels):
        total += taps.count[i]
    return total


cdef void group_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const Groups *g = <const Groups *> arguments
    cdef Py_ssize_t first = index * g.length
    g.kernels.resample(&g.resample, first, min(first + g.length, g.rows), scratch)
