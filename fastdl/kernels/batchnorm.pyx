"""Batch normalisation: tiles and rows for csrc/batchnorm.c.

An array (m, c) with few channels is read as if several examples lay side by side in one
long row, with as many columns as fill some vectors; the examples left over make one
shorter row at the end. So the columns of a row are channels 0, 1, ..., c - 1, 0, 1, ...
and the partial results of the tiles, one for each column, form a matrix of rows of
channels that is put together at the end.
"""

cimport numpy as cnp
from libc.string cimport memcpy

from fastdl import shapes
from fastdl.errors import ShapeError
from fastdl.kernels.engine.arrays cimport (
    as_number, as_real, check_apart, check_same_shape, in_place, kernels_of, real,
)
from fastdl.kernels.engine.memory cimport Block, new_block, new_like
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport Batchnorm, MicroKernels
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cnp.import_array()

cdef enum:
    TILE = 32768  # elements of a tile: it is read twice and stays in the cache
    TILE_COLS = 256  # columns: few, so that a tile has rows even with many channels
    FEW_CHANNELS = 128  # fewer are put side by side
    PARAMETERS = 6  # of a column, at most: mean, rstd, gamma, beta, dgamma, dbeta
    WORK = 8  # elementary operations an element, about

cdef struct BatchnormArgs:
    const MicroKernels *kernels
    Batchnorm arrays
    Py_ssize_t size  # bytes of a real
    Py_ssize_t repeats  # examples in a row
    Py_ssize_t rows  # whole ones
    Py_ssize_t rest  # columns of the last, shorter row; 0 when there is none
    Py_ssize_t tile_rows, row_tiles, col_tiles
    Py_ssize_t parts
    double *counts  # examples in each part
    char *parameters  # memory for those of a column that are not set yet


cdef void plan(BatchnormArgs *p, Workspace *w) noexcept nogil:
    cdef Py_ssize_t partials = p.parts * p.arrays.c * p.size
    p.arrays.firsts = take(w, partials)
    p.arrays.seconds = take(w, partials)
    p.counts = <double *> take(w, p.parts * sizeof(double))
    p.parameters = take(w, PARAMETERS * parameter_bytes(p))


cdef Py_ssize_t parameter_bytes(const BatchnormArgs *p) noexcept nogil:
    return (p.arrays.cols + p.kernels.lanes) * p.size


cdef Block cut(BatchnormArgs *p, cnp.ndarray x):
    """Cut x (..., c) into rows and tiles; return the memory behind the pointers."""
    cdef Batchnorm *g = &p.arrays
    cdef Workspace w = workspace(NULL)
    cdef Block block
    p.size = cnp.PyArray_ITEMSIZE(x)
    p.kernels = kernels_of(x)
    g.x = cnp.PyArray_DATA(x)
    g.residual = g.dy = g.y = NULL
    g.kind = 0
    g.c = x.shape[x.ndim - 1]
    g.m = cnp.PyArray_SIZE(x) // g.c
    p.repeats = 1
    if g.c < FEW_CHANNELS:
        while p.repeats * g.c % (4 * p.kernels.lanes):
            p.repeats += 1
    g.cols = p.repeats * g.c
    p.rows = g.m // p.repeats
    p.rest = g.m % p.repeats * g.c
    p.tile_rows = max(<Py_ssize_t> 1, TILE // min(g.cols, <Py_ssize_t> TILE_COLS))
    p.row_tiles = ceil_div(p.rows, p.tile_rows)
    p.col_tiles = ceil_div(g.cols, TILE_COLS)
    p.parts = p.row_tiles * p.repeats + p.rest // g.c
    plan(p, &w)
    block = new_block(w.bytes)
    w = workspace(<char *> block.data)
    plan(p, &w)
    return block


cdef const void *along_row(BatchnormArgs *p, const void *channels) noexcept nogil:
    """Repeat the values of the channels along a row and a vector beyond it."""
    cdef Py_ssize_t bytes = parameter_bytes(p)
    cdef Py_ssize_t filled = p.arrays.c * p.size
    cdef char *row = p.parameters
    p.parameters += bytes
    memcpy(row, channels, filled)
    while filled < bytes:
        memcpy(row + filled, row, min(filled, bytes - filled))
        filled *= 2
    return row


cdef void set_counts(BatchnormArgs *p) noexcept nogil:
    cdef Py_ssize_t part, tile
    for part in range(p.parts):
        tile = part // p.repeats
        p.counts[part] = (
            min(p.tile_rows, p.rows - tile * p.tile_rows) if tile < p.row_tiles else 1)
    p.arrays.counts = p.counts


cdef void reduce_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Take the sums over one tile; the last task has the short row."""
    cdef const BatchnormArgs *p = <const BatchnormArgs *> arguments
    cdef const Batchnorm *g = &p.arrays
    cdef Py_ssize_t tile = index // p.col_tiles
    cdef Py_ssize_t row = tile * p.tile_rows
    cdef Py_ssize_t col = index % p.col_tiles * TILE_COLS
    cdef Py_ssize_t rows = min(p.tile_rows, p.rows - row)
    cdef Py_ssize_t cols = min(<Py_ssize_t> TILE_COLS, g.cols - col)
    if tile == p.row_tiles:
        row, rows, cols = p.rows, 1, p.rest
    if g.dy == NULL:
        p.kernels.batchnorm_moments(g, row, rows, col, cols, tile)
    else:
        p.kernels.batchnorm_products(g, row, rows, col, cols, tile)


cdef void reduce(const BatchnormArgs *p) noexcept nogil:
    run_tasks(
        reduce_task, p, p.row_tiles * p.col_tiles + (p.rest > 0),
        threads_for(WORK * <double> p.arrays.m * p.arrays.c), NULL, 0)


cdef void write(SpanKernel kernel, const BatchnormArgs *p) noexcept nogil:
    run_spans(
        kernel, &p.arrays, p.rows + (p.rest > 0), span_rows(p.arrays.cols),
        WORK * <double> p.arrays.m * p.arrays.c)


cdef cnp.ndarray per_channel(object array, str operation, str name, cnp.ndarray x):
    """Return `array` as the kernels read it, after checking that it is (c,)."""
    cdef cnp.ndarray result = as_real(array, operation, name, x)
    cdef Py_ssize_t c = x.shape[x.ndim - 1]
    if result.ndim != 1 or result.shape[0] != c:
        shapes.check_shape(operation, name, array.shape, (c,))
    return result


cdef cnp.ndarray like_x(object array, str operation, str name, cnp.ndarray x):
    """Return `array` as the kernels read it, after checking that it has x's shape."""
    cdef cnp.ndarray result = as_real(array, operation, name, x)
    check_same_shape(result, x, operation, name)
    return result


cdef cnp.ndarray as_channels(object x, str operation):
    cdef cnp.ndarray array = as_real(x, operation, "x")
    if array.ndim == 0 or array.shape[array.ndim - 1] == 0:
        raise ShapeError(
            f"{operation}: expected x of shape (..., c) with at least one channel, "
            f"got {x.shape}")
    return array


cdef void follow(
    const BatchnormArgs *p, Py_ssize_t m, double eps, double momentum,
    const real *mean, const real *rstd, real *running_mean, real *running_var,
) noexcept nogil:
    """Move the running statistics towards those of a batch of m > 0 values."""
    cdef double unbiased = <double> m / max(m - 1, <Py_ssize_t> 1)
    cdef double var
    cdef Py_ssize_t i
    for i in range(p.arrays.c):
        var = 1 / (<double> rstd[i] * rstd[i]) - eps
        if var < 0:
            var = 0
        running_mean[i] = <real> (
            (1 - momentum) * running_mean[i] + momentum * mean[i])
        running_var[i] = <real> (
            (1 - momentum) * running_var[i] + momentum * unbiased * var)


def batchnorm_forward(
    x, gamma, beta, running_mean=None, running_var=None, *, momentum=0.1, eps=1e-5,
    residual=None, activation=None, combine=None,
):
    """Compiled `fastdl.reference.batchnorm.batchnorm_forward`."""
    cdef BatchnormArgs p
    cdef str operation = "batch_norm"
    cdef int kind = shapes.activation_index(
        shapes.fused_activation(activation, operation))
    cdef cnp.ndarray x_ = as_channels(x, operation)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray beta_ = per_channel(beta, operation, "beta", x_)
    cdef cnp.ndarray residual_ = None
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    cdef cnp.ndarray y = new_like(x_)
    cdef cnp.ndarray mean = new_like(gamma_)
    cdef cnp.ndarray rstd = new_like(gamma_)
    cdef Py_ssize_t m = p.arrays.m
    cdef double epsilon = as_number(eps, operation, "eps")
    cdef double weight = as_number(momentum, operation, "momentum")
    cdef char *running_mean_ = NULL
    cdef char *running_var_ = NULL
    if running_mean is not None or running_var is not None:
        running_mean_ = in_place(running_mean, operation, "running_mean", gamma_)
        running_var_ = in_place(running_var, operation, "running_var", gamma_)
    if residual is not None:
        residual_ = like_x(residual, operation, "residual", x_)
        p.arrays.residual = cnp.PyArray_DATA(residual_)
    if running_mean is not None:
        check_apart(
            operation,
            ("running_mean", "running_var", "x", "gamma", "beta", "residual"),
            (running_mean, running_var, x_, gamma_, beta_, residual_), 2)
    p.arrays.kind = kind
    p.arrays.result = cnp.PyArray_DATA(y)
    with nogil:
        reduce(&p)
        set_counts(&p)
        p.kernels.batchnorm_statistics(
            &p.arrays, p.parts, epsilon, cnp.PyArray_DATA(mean),
            cnp.PyArray_DATA(rstd))
    if combine is not None:
        mean[...], rstd[...], m = combine(mean, rstd, m)
    with nogil:
        if running_mean_ != NULL and m:
            if p.size == sizeof(float):
                follow[float](
                    &p, m, epsilon, weight, <float *> cnp.PyArray_DATA(mean),
                    <float *> cnp.PyArray_DATA(rstd), <float *> running_mean_,
                    <float *> running_var_)
            else:
                follow[double](
                    &p, m, epsilon, weight, <double *> cnp.PyArray_DATA(mean),
                    <double *> cnp.PyArray_DATA(rstd), <double *> running_mean_,
                    <double *> running_var_)
        p.arrays.mean = along_row(&p, cnp.PyArray_DATA(mean))
        p.arrays.rstd = along_row(&p, cnp.PyArray_DATA(rstd))
        p.arrays.gamma = along_row(&p, cnp.PyArray_DATA(gamma_))
        p.arrays.beta = along_row(&p, cnp.PyArray_DATA(beta_))
        write(p.kernels.batchnorm_normalize, &p)
    return y, mean, rstd


def batchnorm_inference(
    x, gamma, beta, mean, var, *, eps=1e-5, residual=None, activation=None,
):
    """Compiled `fastdl.reference.batchnorm.batchnorm_inference`."""
    cdef BatchnormArgs p
    cdef str operation = "batch_norm"
    cdef int kind = shapes.activation_index(
        shapes.fused_activation(activation, operation))
    cdef cnp.ndarray x_ = as_channels(x, operation)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray beta_ = per_channel(beta, operation, "beta", x_)
    cdef cnp.ndarray mean_ = per_channel(mean, operation, "mean", x_)
    cdef cnp.ndarray var_ = per_channel(var, operation, "var", x_)
    cdef cnp.ndarray residual_
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    cdef cnp.ndarray y = new_like(x_)
    cdef cnp.ndarray rstd = new_like(gamma_)
    cdef double epsilon = as_number(eps, operation, "eps")
    if residual is not None:
        residual_ = like_x(residual, operation, "residual", x_)
        p.arrays.residual = cnp.PyArray_DATA(residual_)
    p.arrays.kind = kind
    p.arrays.result = cnp.PyArray_DATA(y)
    with nogil:
        p.kernels.batchnorm_rstd(
            p.arrays.c, cnp.PyArray_DATA(var_), epsilon, cnp.PyArray_DATA(rstd))
        p.arrays.mean = along_row(&p, cnp.PyArray_DATA(mean_))
        p.arrays.rstd = along_row(&p, cnp.PyArray_DATA(rstd))
        p.arrays.gamma = along_row(&p, cnp.PyArray_DATA(gamma_))
        p.arrays.beta = along_row(&p, cnp.PyArray_DATA(beta_))
        write(p.kernels.batchnorm_normalize, &p)
    return y


def batchnorm_backward(
    dy, x, gamma, mean, rstd, *, beta=None, y=None, activation=None, combine=None,
):
    """Compiled `fastdl.reference.batchnorm.batchnorm_backward`."""
    cdef BatchnormArgs p
    cdef str operation = "batchnorm_backward"
    cdef str fused = shapes.derived_activation(activation, y, beta, operation)
    cdef cnp.ndarray x_ = as_channels(x, operation)
    cdef cnp.ndarray dy_ = like_x(dy, operation, "dy", x_)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray mean_ = per_channel(mean, operation, "mean", x_)
    cdef cnp.ndarray rstd_ = per_channel(rstd, operation, "rstd", x_)
    cdef cnp.ndarray y_, beta_
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    cdef cnp.ndarray dx = new_like(x_)
    cdef cnp.ndarray dgamma = new_like(gamma_)
    cdef cnp.ndarray dbeta = new_like(gamma_)
    cdef cnp.ndarray products = dgamma
    cdef cnp.ndarray sums = dbeta
    p.arrays.dy = cnp.PyArray_DATA(dy_)
    p.arrays.kind = shapes.activation_index(fused)
    if y is not None:
        y_ = like_x(y, operation, "y", x_)
        p.arrays.y = cnp.PyArray_DATA(y_)
    elif fused != "identity":
        beta_ = per_channel(beta, operation, "beta", x_)
        p.arrays.beta = along_row(&p, cnp.PyArray_DATA(beta_))
    p.arrays.result = cnp.PyArray_DATA(dx)
    with nogil:
        p.arrays.mean = along_row(&p, cnp.PyArray_DATA(mean_))
        p.arrays.rstd = along_row(&p, cnp.PyArray_DATA(rstd_))
        p.arrays.gamma = along_row(&p, cnp.PyArray_DATA(gamma_))
        reduce(&p)
        p.kernels.batchnorm_gradients(
            &p.arrays, p.parts, cnp.PyArray_DATA(rstd_), cnp.PyArray_DATA(dgamma),
            cnp.PyArray_DATA(dbeta))
    if combine is not None:
        products, sums = (
            per_channel(each, operation, "combine", x_)
            for each in combine(dgamma, dbeta))
    with nogil:
        p.arrays.dgamma = along_row(&p, cnp.PyArray_DATA(products))
        p.arrays.dbeta = along_row(&p, cnp.PyArray_DATA(sums))
        write(p.kernels.batchnorm_backward, &p)
    return dx, dgamma, dbeta
