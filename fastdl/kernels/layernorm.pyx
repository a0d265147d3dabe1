"""Layer and group normalisation: examples and their parts for csrc/layernorm.c.

Without pixels a task takes some examples, start to end. With pixels there are three
steps: sums over the channels of each part, those put together for each group, and the
result. A small example is one part, and one task that takes all steps while it is in
the cache.
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport (
    as_number, as_real, check_same_shape, kernels_of,
)
from fastdl.kernels.engine.memory cimport Block, new_array, new_block, new_like
from fastdl.kernels.engine.runtime cimport Task, run_spans, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport Layernorm, MicroKernels
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cnp.import_array()

cdef enum:
    TILE = 32768  # elements of a part: it is read three times and stays in the cache
    PARTS = 64  # of the examples without pixels: more rows of dgamma cost time
    CHAIN = 512  # rows that are added up in their own type, at most
    ROWS = 4  # of channels that csrc/layernorm.c spreads its statistics over
    WORK = 8  # elementary operations an element, about

cdef struct LayernormArgs:
    const MicroKernels *kernels
    Layernorm arrays
    Py_ssize_t channels, elements
    Py_ssize_t examples  # of a task, without pixels
    Py_ssize_t partials  # rows of partial sums
    int threads
    char *scratch
    Py_ssize_t scratch_bytes  # of a thread


cdef void plan(LayernormArgs *p, Workspace *w) noexcept nogil:
    cdef Layernorm *g = &p.arrays
    cdef Py_ssize_t size = p.kernels.real_bytes
    if g.pixels == 1 and g.dy == NULL:
        return
    g.firsts = take(w, p.partials * p.channels * size)
    g.seconds = take(w, p.partials * p.channels * size)
    if g.pixels == 1:
        return
    g.shift = take(w, g.n * g.groups * size)
    g.slope = take(w, g.n * g.groups * size)
    p.scratch_bytes = ROWS * (p.channels + p.kernels.lanes) * size
    p.scratch = take(w, p.threads * p.scratch_bytes)


cdef Block cut(LayernormArgs *p, cnp.ndarray x):
    """Cut the examples into tasks; return the memory behind the pointers."""
    cdef Layernorm *g = &p.arrays
    cdef Workspace w = workspace(NULL)
    cdef Block block
    p.kernels = kernels_of(x)
    p.channels = g.groups * g.size
    p.elements = g.n * g.pixels * p.channels
    p.threads = threads_for(WORK * <double> p.elements)
    p.scratch, p.scratch_bytes = NULL, 0
    g.part_pixels = max(
        <Py_ssize_t> 1, min(<Py_ssize_t> CHAIN, TILE // p.channels))
    g.parts = ceil_div(g.pixels, g.part_pixels)
    p.examples = min(
        <Py_ssize_t> CHAIN, max(span_rows(p.channels), ceil_div(g.n, PARTS)))
    p.partials = g.n * g.parts if g.pixels > 1 else ceil_div(g.n, p.examples)
    plan(p, &w)
    block = new_block(w.bytes)
    w = workspace(<char *> block.data)
    plan(p, &w)
    return block


cdef void backward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const LayernormArgs *p = <const LayernormArgs *> arguments
    cdef Py_ssize_t first = index * p.examples
    p.kernels.layernorm_backward(
        &p.arrays, first, min(first + p.examples, p.arrays.n), index)


cdef void reduce_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const LayernormArgs *p = <const LayernormArgs *> arguments
    p.kernels.layernorm_reduce(&p.arrays, index, scratch)


cdef void fold_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const LayernormArgs *p = <const LayernormArgs *> arguments
    p.kernels.layernorm_fold(&p.arrays, index)


cdef void write_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const LayernormArgs *p = <const LayernormArgs *> arguments
    p.kernels.layernorm_write(&p.arrays, index, scratch)


cdef void whole_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    reduce_task(arguments, index, scratch)
    fold_task(arguments, index, scratch)
    write_task(arguments, index, scratch)


cdef void run(const LayernormArgs *p, Task task, Py_ssize_t count) noexcept nogil:
    run_tasks(task, p, count, p.threads, p.scratch, p.scratch_bytes)


cdef void run_pixels(const LayernormArgs *p) noexcept nogil:
    cdef const Layernorm *g = &p.arrays
    if g.parts == 1:
        run(p, whole_task, g.n)
    else:
        run(p, reduce_task, g.n * g.parts)
        run(p, fold_task, g.n)
        run(p, write_task, g.n * g.parts)


cdef cnp.ndarray per_channel(object array, str operation, str name, cnp.ndarray x):
    """Return `array` as the kernels read it, after checking that it is (c,)."""
    cdef cnp.ndarray result = as_real(array, operation, name, x)
    shapes.check_shape(
        operation, name, (<object> result).shape, (x.shape[x.ndim - 1],))
    return result


cdef void set_view(Layernorm *g, cnp.ndarray x, object groups, str operation):
    g.n, g.pixels, g.groups, g.size = shapes.layernorm(
        (<object> x).shape, groups, operation)
    g.x = cnp.PyArray_DATA(x)
    g.dy = NULL


def layernorm_forward(x, gamma, beta, *, groups=1, eps=1e-5):
    """Compiled `fastdl.reference.layernorm.layernorm_forward`."""
    cdef LayernormArgs p
    cdef str operation = "layernorm_forward"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    cdef Layernorm *g = &p.arrays
    set_view(g, x_, groups, operation)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray beta_ = per_channel(beta, operation, "beta", x_)
    cdef cnp.npy_intp[2] shape = [g.n, g.groups]
    cdef cnp.ndarray mean = new_array(2, shape, cnp.PyArray_TYPE(x_))
    cdef cnp.ndarray rstd = new_like(mean)
    cdef cnp.ndarray y = new_like(x_)
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    g.eps = as_number(eps, operation, "eps")
    g.gamma = cnp.PyArray_DATA(gamma_)
    g.beta = cnp.PyArray_DATA(beta_)
    g.mean = cnp.PyArray_DATA(mean)
    g.rstd = cnp.PyArray_DATA(rstd)
    g.result = cnp.PyArray_DATA(y)
    with nogil:
        if g.pixels == 1:
            run_spans(
                p.kernels.layernorm, g, g.n * g.groups, span_rows(g.size),
                WORK * <double> p.elements)
        else:
            run_pixels(&p)
    return y, mean, rstd


def layernorm_backward(dy, x, gamma, mean, rstd):
    """Compiled `fastdl.reference.layernorm.layernorm_backward`."""
    cdef LayernormArgs p
    cdef str operation = "layernorm_backward"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy", x_)
    cdef cnp.ndarray mean_ = as_real(mean, operation, "mean", x_)
    cdef cnp.ndarray rstd_ = as_real(rstd, operation, "rstd", x_)
    cdef Layernorm *g = &p.arrays
    cdef Py_ssize_t stride
    set_view(g, x_, mean_.shape[1] if mean_.ndim == 2 else 1, operation)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    check_same_shape(dy_, x_, operation, "dy")
    shapes.check_shape(
        operation, "mean", (<object> mean_).shape, (g.n, g.groups))
    check_same_shape(rstd_, mean_, operation, "rstd")
    cdef cnp.ndarray dx = new_like(x_)
    cdef cnp.ndarray dgamma = new_like(gamma_)
    cdef cnp.ndarray dbeta = new_like(gamma_)
    g.dy = cnp.PyArray_DATA(dy_)
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    g.gamma = cnp.PyArray_DATA(gamma_)
    g.mean = cnp.PyArray_DATA(mean_)
    g.rstd = cnp.PyArray_DATA(rstd_)
    g.result = cnp.PyArray_DATA(dx)
    with nogil:
        if g.pixels == 1:
            run(&p, backward_task, p.partials)
        else:
            run_pixels(&p)
            p.partials = g.n  # the first parts hold the sums of their examples
        stride = p.channels * p.kernels.real_bytes
        if g.pixels > 1:
            stride *= g.parts
        p.kernels.total_rows(
            p.partials, p.channels, g.seconds, stride, cnp.PyArray_DATA(dgamma))
        p.kernels.total_rows(
            p.partials, p.channels, g.firsts, stride, cnp.PyArray_DATA(dbeta))
    return dx, dgamma, dbeta
