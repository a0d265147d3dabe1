"""PReLU: groups of rows for csrc/prelu.c."""

cimport numpy as cnp
from libc.string cimport memcpy

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_real, check_same_shape, kernels_of
from fastdl.kernels.engine.memory cimport Block, new_block, new_like
from fastdl.kernels.engine.runtime cimport run_spans, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport MicroKernels, Prelu
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cnp.import_array()

cdef enum:
    WORK = 2  # elementary operations an element, about
    TILE = 16384  # elements of a part of a sum: much more than its result
    FEW_CHANNELS = 128  # fewer are put side by side

cdef struct PreluArgs:
    const MicroKernels *kernels
    Prelu arrays
    Py_ssize_t channels
    Py_ssize_t repeats  # rows of channels side by side
    Py_ssize_t rows
    Py_ssize_t tile_rows, parts
    char *weight  # of a row, and LANES more
    char *sums  # (parts, cols)


cdef void plan(PreluArgs *p, Workspace *w, bint backward) noexcept nogil:
    cdef Py_ssize_t size = p.kernels.real_bytes
    p.weight = take(w, (p.arrays.cols + p.kernels.lanes) * size)
    if backward:
        p.sums = take(w, p.parts * p.arrays.cols * size)


cdef Block cut(PreluArgs *p, cnp.ndarray x, cnp.ndarray weight, bint backward):
    """Cut x into rows, and these into parts; return the memory behind the pointers."""
    cdef Prelu *g = &p.arrays
    cdef Workspace w = workspace(NULL)
    cdef Block block
    p.kernels = kernels_of(x)
    p.channels = cnp.PyArray_SIZE(weight)
    p.repeats = 1
    if p.channels < FEW_CHANNELS:
        while p.repeats * p.channels % (4 * p.kernels.lanes):
            p.repeats += 1
    g.n = cnp.PyArray_SIZE(x)
    g.cols = p.repeats * p.channels
    g.x = cnp.PyArray_DATA(x)
    p.rows = ceil_div(g.n, g.cols)
    p.tile_rows = max(<Py_ssize_t> 1, TILE // g.cols)
    p.parts = ceil_div(p.rows, p.tile_rows)
    plan(p, &w, backward)
    block = new_block(w.bytes)
    w = workspace(<char *> block.data)
    plan(p, &w, backward)
    fill(p, <const char *> cnp.PyArray_DATA(weight))
    g.weight = p.weight
    return block


cdef void fill(const PreluArgs *p, const char *weight) noexcept nogil:
    """Repeat the weights along a row and a vector beyond it."""
    cdef Py_ssize_t bytes = (p.arrays.cols + p.kernels.lanes) * p.kernels.real_bytes
    cdef Py_ssize_t filled = p.channels * p.kernels.real_bytes
    memcpy(p.weight, weight, filled)
    while filled < bytes:
        memcpy(p.weight + filled, p.weight, min(filled, bytes - filled))
        filled *= 2


cdef void backward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const PreluArgs *p = <const PreluArgs *> arguments
    cdef Py_ssize_t first = index * p.tile_rows
    p.kernels.prelu_backward(
        &p.arrays, first, min(first + p.tile_rows, p.rows),
        p.sums + index * p.arrays.cols * p.kernels.real_bytes)


cdef cnp.ndarray as_weight(object weight, str operation, cnp.ndarray x):
    """Return the weights as the kernels read them, after checking their shape."""
    cdef cnp.ndarray result = as_real(weight, operation, "weight", x)
    shapes.prelu((<object> x).shape, weight.shape, operation)
    return result


def prelu_forward(x, weight):
    """Compiled `fastdl.reference.prelu.prelu_forward`."""
    cdef PreluArgs p
    cdef cnp.ndarray x_ = as_real(x, "prelu", "x")
    cdef cnp.ndarray weight_ = as_weight(weight, "prelu", x_)
    cdef cnp.ndarray y = new_like(x_)
    cdef Block _memory = cut(&p, x_, weight_, False)  # lives as long as this name
    p.arrays.result = cnp.PyArray_DATA(y)
    with nogil:
        run_spans(
            p.kernels.prelu, &p.arrays, p.rows, span_rows(p.arrays.cols),
            WORK * <double> p.arrays.n)
    return y


def prelu_backward(dy, x, weight):
    """Compiled `fastdl.reference.prelu.prelu_backward`."""
    cdef PreluArgs p
    cdef str operation = "prelu_backward"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy", x_)
    cdef cnp.ndarray weight_ = as_weight(weight, operation, x_)
    check_same_shape(dy_, x_, operation, "dy")
    cdef cnp.ndarray dx = new_like(x_)
    cdef cnp.ndarray dweight = new_like(weight_)
    cdef int threads
    cdef Block _memory = cut(&p, x_, weight_, True)  # lives as long as this name
    p.arrays.dy = cnp.PyArray_DATA(dy_)
    p.arrays.result = cnp.PyArray_DATA(dx)
    with nogil:
        threads = threads_for(WORK * <double> p.arrays.n)
        run_tasks(backward_task, &p, p.parts, threads, NULL, 0)
        p.kernels.total_rows(
            p.parts * p.repeats, p.channels, p.sums,
            p.channels * p.kernels.real_bytes, cnp.PyArray_DATA(dweight))
    return dx, dweight
