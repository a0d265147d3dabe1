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
    as_real, check_apart, check_same_shape, in_place, real,
)
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.spans cimport SPAN
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

cdef enum:
    TILE = 32768  # elements of a tile: it is read twice and stays in the cache
    TILE_COLS = 256  # columns: few, so that a tile has rows even with many channels
    FEW_CHANNELS = 128  # fewer are put side by side
    WORK = 8  # elementary operations an element, about

cdef enum:  # the parameters of a column
    MEAN
    RSTD
    GAMMA
    BETA  # or dbeta
    DGAMMA
    PARAMETERS

cdef struct BatchnormArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t m, c
    Py_ssize_t repeats  # examples in a row
    Py_ssize_t rows, cols
    Py_ssize_t rest  # columns of the last, shorter row; 0 when there is none
    Py_ssize_t tile_rows, row_tiles, col_tiles
    Py_ssize_t span_rows  # rows of a task that writes
    const char *x
    const char *residual  # added to y, or NULL
    bint relu  # whether y is max(0, .)
    const char *dy  # NULL in the forward pass
    const char *y  # in the backward pass: after relu, or NULL
    char *result  # y, or dx
    double *counts  # examples in each part
    char *firsts  # of each part: means, or sums of dy
    char *seconds  # squares, or products
    char *parameters[PARAMETERS]  # as long as a row, and LANES more


cdef Py_ssize_t parts(const BatchnormArgs *p) noexcept nogil:
    return p.row_tiles * p.repeats + p.rest // p.c


cdef Block cut(BatchnormArgs *p, cnp.ndarray x):
    """Cut x (..., c) into rows and tiles; return the memory behind the pointers."""
    cdef Py_ssize_t lanes, partials, columns, i
    cdef Block block
    cdef char *data
    p.size = cnp.PyArray_ITEMSIZE(x)
    p.kernels = microkernels(<int> p.size)
    p.x = cnp.PyArray_BYTES(x)
    p.residual = NULL
    p.dy = NULL
    p.y = NULL
    p.relu = False
    p.c = x.shape[x.ndim - 1]
    p.m = cnp.PyArray_SIZE(x) // p.c
    lanes = p.kernels.lanes
    p.repeats = 1
    if p.c < FEW_CHANNELS:
        while p.repeats * p.c % (4 * lanes):
            p.repeats += 1
    p.cols = p.repeats * p.c
    p.rows = p.m // p.repeats
    p.rest = p.m % p.repeats * p.c
    p.tile_rows = max(<Py_ssize_t> 1, TILE // min(p.cols, <Py_ssize_t> TILE_COLS))
    p.row_tiles = (p.rows + p.tile_rows - 1) // p.tile_rows
    p.col_tiles = (p.cols + TILE_COLS - 1) // TILE_COLS
    p.span_rows = max(<Py_ssize_t> 1, SPAN // p.cols)

    partials = (p.row_tiles * p.cols + p.rest) * p.size
    columns = (p.cols + lanes) * p.size
    block = new_block(parts(p) * sizeof(double) + 2 * partials + PARAMETERS * columns)
    data = <char *> block.data
    p.counts = <double *> data
    p.firsts = data + parts(p) * sizeof(double)
    p.seconds = p.firsts + partials
    for i in range(PARAMETERS):
        p.parameters[i] = p.seconds + partials + i * columns
    return block


cdef void set_parameter(
    const BatchnormArgs *p, int which, const char *channels,
) noexcept nogil:
    """Repeat the values of the channels along a row and a vector beyond it."""
    cdef char *to = p.parameters[which]
    cdef Py_ssize_t bytes = (p.cols + p.kernels.lanes) * p.size
    cdef Py_ssize_t filled = p.c * p.size
    memcpy(to, channels, filled)
    while filled < bytes:
        memcpy(to + filled, to, min(filled, bytes - filled))
        filled *= 2


cdef void set_counts(const BatchnormArgs *p) noexcept nogil:
    cdef Py_ssize_t part, tile
    for part in range(parts(p)):
        tile = part // p.repeats
        p.counts[part] = (
            min(p.tile_rows, p.rows - tile * p.tile_rows) if tile < p.row_tiles else 1)


cdef const char *at(const char *array, Py_ssize_t offset) noexcept nogil:
    if array == NULL:
        return NULL
    return array + offset


cdef void reduce_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Take the sums over one tile; the last task has the short row."""
    cdef const BatchnormArgs *p = <const BatchnormArgs *> arguments
    cdef Py_ssize_t row = index // p.col_tiles * p.tile_rows
    cdef Py_ssize_t col = index % p.col_tiles * TILE_COLS
    cdef Py_ssize_t rows = min(p.tile_rows, p.rows - row)
    cdef Py_ssize_t cols = min(<Py_ssize_t> TILE_COLS, p.cols - col)
    if index == p.row_tiles * p.col_tiles:
        row, col, rows, cols = p.rows, 0, 1, p.rest
    cdef Py_ssize_t start = row * p.cols + col
    cdef Py_ssize_t room = p.m * p.c - start
    cdef Py_ssize_t partial = (index // p.col_tiles * p.cols + col) * p.size
    if p.dy == NULL:
        p.kernels.batchnorm_moments(
            rows, cols, p.x + start * p.size, p.cols, room,
            p.firsts + partial, p.seconds + partial)
    else:
        p.kernels.batchnorm_products(
            rows, cols, p.dy + start * p.size, p.x + start * p.size,
            at(p.y, start * p.size), p.cols, room, p.parameters[MEAN] + col * p.size,
            p.firsts + partial, p.seconds + partial)


cdef void write_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Write some rows of the result; the last task has the short row."""
    cdef const BatchnormArgs *p = <const BatchnormArgs *> arguments
    cdef Py_ssize_t row = index * p.span_rows
    cdef Py_ssize_t rows = min(p.span_rows, p.rows - row)
    cdef Py_ssize_t cols = p.cols
    if row >= p.rows:
        row, rows, cols = p.rows, 1, p.rest
    cdef Py_ssize_t start = row * p.cols * p.size
    if p.dy == NULL:
        p.kernels.batchnorm_normalize(
            rows, cols, p.x + start, p.parameters[MEAN], p.parameters[RSTD],
            p.parameters[GAMMA], p.parameters[BETA], at(p.residual, start), p.relu,
            p.result + start)
    else:
        p.kernels.batchnorm_backward(
            rows, cols, p.m, p.dy + start, p.x + start, at(p.y, start),
            p.parameters[MEAN], p.parameters[RSTD], p.parameters[GAMMA],
            p.parameters[DGAMMA], p.parameters[BETA], p.result + start)


cdef void reduce(const BatchnormArgs *p) noexcept nogil:
    run_tasks(
        reduce_task, p, p.row_tiles * p.col_tiles + (p.rest > 0),
        threads_for(WORK * <double> p.m * p.c), NULL, 0)


cdef void write(const BatchnormArgs *p) noexcept nogil:
    run_tasks(
        write_task, p, (p.rows + p.span_rows - 1) // p.span_rows + (p.rest > 0),
        threads_for(WORK * <double> p.m * p.c), NULL, 0)


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
    const BatchnormArgs *p, double eps, double momentum, const real *mean,
    const real *rstd, real *running_mean, real *running_var,
) noexcept nogil:
    """Move the running statistics towards those of a batch that is not empty."""
    cdef double unbiased = <double> p.m / max(p.m - 1, <Py_ssize_t> 1)
    cdef double var
    cdef Py_ssize_t i
    for i in range(p.c):
        var = 1 / (<double> rstd[i] * rstd[i]) - eps
        if var < 0:
            var = 0
        running_mean[i] = <real> (
            (1 - momentum) * running_mean[i] + momentum * mean[i])
        running_var[i] = <real> (
            (1 - momentum) * running_var[i] + momentum * unbiased * var)


def batchnorm_forward(
    x, gamma, beta, running_mean=None, running_var=None, *, momentum=0.1, eps=1e-5,
    residual=None, activation=None,
):
    """Normalise by the statistics of the batch (training), and remember them.

    Parameters
    ----------
    x : numpy.ndarray
        (..., c), float32 or float64.
    gamma, beta : numpy.ndarray
        (c,): the scale and the shift.
    running_mean, running_var : numpy.ndarray, optional
        (c,), both or neither: become ``(1 - momentum) * running + momentum * batch``,
        with the unbiased variance m / (m - 1) var. An empty batch changes nothing. They
        share no memory with other arrays.
    momentum : float
        The weight of the new statistics, in [0, 1].
    eps : float
        Added to the variance.
    residual : numpy.ndarray, optional
        Of the shape of `x`; added to the result.
    activation : str, optional
        "relu"; applied last.

    Returns
    -------
    y : numpy.ndarray
        The shape and type of `x`.
    mean, rstd : numpy.ndarray
        (c,): the mean and 1 / sqrt(variance + eps) of the batch.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef BatchnormArgs p
    cdef str operation = "batchnorm_forward"
    cdef bint relu = shapes.has_relu(activation, operation)
    cdef cnp.ndarray x_ = as_channels(x, operation)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray beta_ = per_channel(beta, operation, "beta", x_)
    cdef cnp.ndarray residual_ = None
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    cdef int typenum = cnp.PyArray_TYPE(x_)
    cdef cnp.ndarray y = new_array(x_.ndim, cnp.PyArray_DIMS(x_), typenum)
    cdef cnp.ndarray mean = new_array(1, cnp.PyArray_DIMS(gamma_), typenum)
    cdef cnp.ndarray rstd = new_array(1, cnp.PyArray_DIMS(gamma_), typenum)
    cdef double epsilon = eps
    cdef double weight = momentum
    cdef char *running_mean_ = NULL
    cdef char *running_var_ = NULL
    if running_mean is not None or running_var is not None:
        running_mean_ = in_place(running_mean, operation, "running_mean", gamma_)
        running_var_ = in_place(running_var, operation, "running_var", gamma_)
    if residual is not None:
        residual_ = like_x(residual, operation, "residual", x_)
        p.residual = cnp.PyArray_BYTES(residual_)
    if running_mean is not None:
        check_apart(
            operation,
            ("running_mean", "running_var", "x", "gamma", "beta", "residual"),
            (running_mean, running_var, x_, gamma_, beta_, residual_), 2)
    p.relu = relu
    p.result = cnp.PyArray_BYTES(y)
    with nogil:
        reduce(&p)
        set_counts(&p)
        # An empty batch has no parts: its sums are 0.
        p.kernels.batchnorm_statistics(
            parts(&p), p.c, p.counts, p.firsts, p.seconds, max(p.m, <Py_ssize_t> 1),
            epsilon, cnp.PyArray_DATA(mean), cnp.PyArray_DATA(rstd))
        if running_mean_ != NULL and p.m:
            if typenum == cnp.NPY_FLOAT:
                follow[float](
                    &p, epsilon, weight, <float *> cnp.PyArray_DATA(mean),
                    <float *> cnp.PyArray_DATA(rstd), <float *> running_mean_,
                    <float *> running_var_)
            else:
                follow[double](
                    &p, epsilon, weight, <double *> cnp.PyArray_DATA(mean),
                    <double *> cnp.PyArray_DATA(rstd), <double *> running_mean_,
                    <double *> running_var_)
        set_parameter(&p, MEAN, cnp.PyArray_BYTES(mean))
        set_parameter(&p, RSTD, cnp.PyArray_BYTES(rstd))
        set_parameter(&p, GAMMA, cnp.PyArray_BYTES(gamma_))
        set_parameter(&p, BETA, cnp.PyArray_BYTES(beta_))
        write(&p)
    return y, mean, rstd


def batchnorm_inference(
    x, gamma, beta, mean, var, *, eps=1e-5, residual=None, activation=None,
):
    """Normalise by given statistics, usually the running ones (inference).

    Parameters
    ----------
    x : numpy.ndarray
        (..., c), float32 or float64.
    gamma, beta : numpy.ndarray
        (c,): the scale and the shift.
    mean, var : numpy.ndarray
        (c,): the statistics.
    eps : float
        Added to the variance.
    residual, activation
        See `batchnorm_forward`.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef BatchnormArgs p
    cdef str operation = "batchnorm_inference"
    cdef bint relu = shapes.has_relu(activation, operation)
    cdef cnp.ndarray x_ = as_channels(x, operation)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray beta_ = per_channel(beta, operation, "beta", x_)
    cdef cnp.ndarray mean_ = per_channel(mean, operation, "mean", x_)
    cdef cnp.ndarray var_ = per_channel(var, operation, "var", x_)
    cdef cnp.ndarray residual_
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    cdef int typenum = cnp.PyArray_TYPE(x_)
    cdef cnp.ndarray y = new_array(x_.ndim, cnp.PyArray_DIMS(x_), typenum)
    cdef cnp.ndarray rstd = new_array(1, cnp.PyArray_DIMS(gamma_), typenum)
    cdef double epsilon = eps
    if residual is not None:
        residual_ = like_x(residual, operation, "residual", x_)
        p.residual = cnp.PyArray_BYTES(residual_)
    p.relu = relu
    p.result = cnp.PyArray_BYTES(y)
    with nogil:
        p.kernels.batchnorm_rstd(
            p.c, cnp.PyArray_DATA(var_), epsilon, cnp.PyArray_DATA(rstd))
        set_parameter(&p, MEAN, cnp.PyArray_BYTES(mean_))
        set_parameter(&p, RSTD, cnp.PyArray_BYTES(rstd))
        set_parameter(&p, GAMMA, cnp.PyArray_BYTES(gamma_))
        set_parameter(&p, BETA, cnp.PyArray_BYTES(beta_))
        write(&p)
    return y


def batchnorm_backward(dy, x, gamma, mean, rstd, *, y=None):
    """Return the gradients of `batchnorm_forward`.

    The gradient of a residual is dy, or 0 where `y` is not positive.

    Parameters
    ----------
    dy : numpy.ndarray
        The gradient with respect to y.
    x, gamma : numpy.ndarray
        As in the forward pass.
    mean, rstd : numpy.ndarray
        (c,), from the forward pass.
    y : numpy.ndarray, optional
        The result of the forward pass with ReLU: where it is not positive, dy counts
        as 0. None without ReLU.

    Returns
    -------
    dx : numpy.ndarray
        The shape and type of `x`.
    dgamma, dbeta : numpy.ndarray
        (c,).

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef BatchnormArgs p
    cdef str operation = "batchnorm_backward"
    cdef cnp.ndarray x_ = as_channels(x, operation)
    cdef cnp.ndarray dy_ = like_x(dy, operation, "dy", x_)
    cdef cnp.ndarray gamma_ = per_channel(gamma, operation, "gamma", x_)
    cdef cnp.ndarray mean_ = per_channel(mean, operation, "mean", x_)
    cdef cnp.ndarray rstd_ = per_channel(rstd, operation, "rstd", x_)
    cdef cnp.ndarray y_
    cdef Block _memory = cut(&p, x_)  # lives as long as this name
    cdef int typenum = cnp.PyArray_TYPE(x_)
    cdef cnp.ndarray dx = new_array(x_.ndim, cnp.PyArray_DIMS(x_), typenum)
    cdef cnp.ndarray dgamma = new_array(1, cnp.PyArray_DIMS(gamma_), typenum)
    cdef cnp.ndarray dbeta = new_array(1, cnp.PyArray_DIMS(gamma_), typenum)
    p.dy = cnp.PyArray_BYTES(dy_)
    if y is not None:
        y_ = like_x(y, operation, "y", x_)
        p.y = cnp.PyArray_BYTES(y_)
    p.result = cnp.PyArray_BYTES(dx)
    with nogil:
        set_parameter(&p, MEAN, cnp.PyArray_BYTES(mean_))
        reduce(&p)
        p.kernels.batchnorm_gradients(
            parts(&p), p.c, p.firsts, p.seconds, cnp.PyArray_DATA(rstd_),
            cnp.PyArray_DATA(dgamma), cnp.PyArray_DATA(dbeta))
        set_parameter(&p, RSTD, cnp.PyArray_BYTES(rstd_))
        set_parameter(&p, GAMMA, cnp.PyArray_BYTES(gamma_))
        set_parameter(&p, DGAMMA, cnp.PyArray_BYTES(dgamma))
        set_parameter(&p, BETA, cnp.PyArray_BYTES(dbeta))
        write(&p)
    return dx, dgamma, dbeta
