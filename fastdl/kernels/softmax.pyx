"""Softmax and the two cross-entropies: rows and spans for csrc/softmax.c."""

cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np

from fastdl import shapes
from fastdl.errors import ShapeError
from fastdl.kernels.engine.arrays cimport as_real, real
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport Task, microkernels, run_tasks, threads_for
from fastdl.kernels.engine.spans cimport SPAN, span_count, span_length
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

cdef enum:
    WORK = 48  # elementary operations an element, about

cdef struct RowsArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t rows, classes
    Py_ssize_t rows_per_task
    const char *x  # logits, or probabilities in the backward pass
    char *y
    const int64_t *labels  # integers, or NULL
    const char *targets  # rows of probabilities, or NULL
    char *loss
    const char *dloss

cdef struct SigmoidArgs:
    const MicroKernels *kernels
    Py_ssize_t size
    Py_ssize_t n
    const char *logits
    const char *targets
    const char *dloss  # NULL in the forward pass
    char *result


cdef void softmax_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const RowsArgs *p = <const RowsArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    cdef Py_ssize_t at = row * p.classes * p.size
    p.kernels.softmax(
        min(p.rows_per_task, p.rows - row), p.classes, p.x + at, p.y + at)


cdef void log_softmax_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const RowsArgs *p = <const RowsArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    cdef Py_ssize_t at = row * p.classes * p.size
    p.kernels.log_softmax(
        min(p.rows_per_task, p.rows - row), p.classes, p.x + at, p.y + at)


cdef void cross_entropy_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const RowsArgs *p = <const RowsArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    cdef Py_ssize_t at = row * p.classes * p.size
    cdef const int64_t *labels = p.labels
    cdef const char *targets = p.targets
    if labels != NULL:
        labels += row
    else:
        targets += at
    p.kernels.softmax_cross_entropy(
        min(p.rows_per_task, p.rows - row), p.classes, p.x + at, labels, targets,
        p.y + at, p.loss + row * p.size)


cdef void cross_entropy_backward_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const RowsArgs *p = <const RowsArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    cdef Py_ssize_t at = row * p.classes * p.size
    cdef const int64_t *labels = p.labels
    cdef const char *targets = p.targets
    if labels != NULL:
        labels += row
    else:
        targets += at
    p.kernels.softmax_cross_entropy_backward(
        min(p.rows_per_task, p.rows - row), p.classes, p.x + at, labels, targets,
        p.dloss + row * p.size, p.y + at)


cdef void sigmoid_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const SigmoidArgs *p = <const SigmoidArgs *> arguments
    cdef Py_ssize_t n = span_length(p.n, index)
    cdef Py_ssize_t at = index * SPAN * p.size
    if p.dloss == NULL:
        p.kernels.sigmoid_cross_entropy(
            n, p.logits + at, p.targets + at, p.result + at)
    else:
        p.kernels.sigmoid_cross_entropy_backward(
            n, p.logits + at, p.targets + at, p.dloss + at, p.result + at)


cdef cnp.ndarray like(cnp.ndarray x):
    return new_array(
        cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))


cdef cnp.ndarray set_rows(RowsArgs *p, cnp.ndarray x, str operation):
    """Set x and y of `p`; return the array of y."""
    cdef cnp.ndarray y
    if x.ndim == 0 or x.shape[x.ndim - 1] == 0:
        raise ShapeError(
            f"{operation}: expected rows of at least one class, got shape "
            f"{tuple(x.shape[i] for i in range(x.ndim))}"
        )
    y = like(x)
    p.size = cnp.PyArray_ITEMSIZE(x)
    p.kernels = microkernels(<int> p.size)
    p.classes = x.shape[x.ndim - 1]
    p.rows = cnp.PyArray_SIZE(x) // p.classes
    p.rows_per_task = max(<Py_ssize_t> 1, SPAN // p.classes)
    p.x = cnp.PyArray_BYTES(x)
    p.y = cnp.PyArray_BYTES(y)
    return y


cdef void run_rows(Task task, const RowsArgs *p) noexcept nogil:
    run_tasks(
        task, p, (p.rows + p.rows_per_task - 1) // p.rows_per_task,
        threads_for(WORK * <double> p.rows * p.classes), NULL, 0)


cdef cnp.ndarray class_numbers(object labels, Py_ssize_t n, Py_ssize_t classes):
    """Return a copy of usual labels; None for others: shapes.labels says more.

    The copy is checked, not `labels`: another thread may write into them meanwhile.
    """
    cdef cnp.ndarray array, copy
    cdef const int64_t *values
    cdef Py_ssize_t i
    if not isinstance(labels, cnp.ndarray):
        return None
    array = labels
    if (cnp.PyArray_TYPE(array) != cnp.NPY_INT64 or array.ndim != 1
            or array.shape[0] != n or not cnp.PyArray_ISCARRAY_RO(array)):
        return None
    copy = new_array(1, cnp.PyArray_DIMS(array), cnp.NPY_INT64)
    values = <const int64_t *> cnp.PyArray_DATA(copy)
    memcpy(cnp.PyArray_DATA(copy), cnp.PyArray_DATA(array), n * sizeof(int64_t))
    for i in range(n):
        if values[i] < 0 or values[i] >= classes:
            return None
    return copy


cdef cnp.ndarray set_labels(RowsArgs *p, cnp.ndarray x, object labels, str operation):
    """Set the labels of `p`; return the array that holds them."""
    cdef cnp.ndarray array
    if x.ndim != 2:
        raise ShapeError(
            f"{operation}: expected logits of shape (n, classes), got "
            f"{tuple(x.shape[i] for i in range(x.ndim))}"
        )
    array = class_numbers(labels, x.shape[0], x.shape[1])
    if array is None:
        array = shapes.labels(labels, x.shape[0], x.shape[1], operation)
    p.labels = NULL
    p.targets = NULL
    if array.ndim == 1:
        p.labels = <const int64_t *> cnp.PyArray_DATA(array)
    else:
        array = np.require(array, x.dtype, "CA")
        p.targets = cnp.PyArray_BYTES(array)
    return array


def softmax_forward(x):
    """Return the softmax over the last axis.

    Parameters
    ----------
    x : numpy.ndarray
        (..., classes), float32 or float64.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`; in [0, 1], the last axis sums to 1.

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef RowsArgs p
    cdef cnp.ndarray x_ = as_real(x, "softmax_forward", "x")
    cdef cnp.ndarray y = set_rows(&p, x_, "softmax_forward")
    with nogil:
        run_rows(softmax_task, &p)
    return y


def log_softmax_forward(x):
    """Return the logarithm of the softmax over the last axis.

    Parameters
    ----------
    x : numpy.ndarray
        (..., classes), float32 or float64.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`; at most 0.

    Raises
    ------
    DtypeError, ShapeError
    """
    cdef RowsArgs p
    cdef cnp.ndarray x_ = as_real(x, "log_softmax_forward", "x")
    cdef cnp.ndarray y = set_rows(&p, x_, "log_softmax_forward")
    with nogil:
        run_rows(log_softmax_task, &p)
    return y


cdef void add_up(
    const real *losses, Py_ssize_t n, double scale, real *result,
) noexcept nogil:
    """Add the losses in their order, whatever the number of threads."""
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(n):
        total += losses[i]
    result[0] = <real> (scale * total)


cdef void repeat(const real *value, Py_ssize_t n, real *result) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        result[i] = value[0]


def softmax_cross_entropy_forward(logits, labels, *, scale=None):
    """Return the cross-entropy of each example, and the probabilities.

    Parameters
    ----------
    logits : numpy.ndarray
        (n, classes), float32 or float64.
    labels : numpy.ndarray
        Integers (n,) in [0, classes), or rows of probabilities (n, classes).
    scale : float, optional
        If given, the loss is one number: the sum over the examples times `scale`, 1/n
        for a mean.

    Returns
    -------
    loss : numpy.ndarray
        (n,), or (), in nats.
    probabilities : numpy.ndarray
        (n, classes), for `softmax_cross_entropy_backward`.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
        For labels of a wrong shape or type or out of range, among others.
    """
    cdef RowsArgs p
    cdef str operation = "softmax_cross_entropy"
    cdef cnp.ndarray x = as_real(logits, operation, "logits")
    cdef cnp.ndarray y = set_rows(&p, x, operation)
    # The array behind p.labels or p.targets lives as long as this name.
    cdef cnp.ndarray _labels = set_labels(&p, x, labels, operation)
    cdef int typenum = cnp.PyArray_TYPE(x)
    cdef cnp.ndarray losses = new_array(1, cnp.PyArray_DIMS(x), typenum)
    cdef cnp.ndarray loss
    p.loss = cnp.PyArray_BYTES(losses)
    with nogil:
        run_rows(cross_entropy_task, &p)
    if scale is None:
        return losses, y
    loss = new_array(0, NULL, typenum)
    if typenum == cnp.NPY_FLOAT:
        add_up[float](
            <float *> p.loss, p.rows, scale, <float *> cnp.PyArray_DATA(loss))
    else:
        add_up[double](
            <double *> p.loss, p.rows, scale, <double *> cnp.PyArray_DATA(loss))
    return loss, y


def softmax_cross_entropy_backward(probabilities, labels, dloss):
    """Return the gradient with respect to the logits.

    Parameters
    ----------
    probabilities : numpy.ndarray
        (n, classes), from the forward pass.
    labels : numpy.ndarray
        As in the forward pass.
    dloss : numpy.ndarray
        (n,): the gradient with respect to each example's loss, 1/n for a mean; or ():
        the same for all.

    Returns
    -------
    numpy.ndarray
        dlogits (n, classes).

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef RowsArgs p
    cdef str operation = "softmax_cross_entropy"
    cdef cnp.ndarray x = as_real(probabilities, operation, "probabilities")
    cdef cnp.ndarray y = set_rows(&p, x, operation)
    # The array behind p.labels or p.targets lives as long as this name.
    cdef cnp.ndarray _labels = set_labels(&p, x, labels, operation)
    cdef cnp.ndarray dloss_ = as_real(dloss, operation, "dloss", x)
    cdef cnp.ndarray value = dloss_
    cdef int typenum = cnp.PyArray_TYPE(x)
    if dloss_.ndim == 0:
        dloss_ = new_array(1, cnp.PyArray_DIMS(x), typenum)
        if typenum == cnp.NPY_FLOAT:
            repeat[float](
                <float *> cnp.PyArray_DATA(value), p.rows,
                <float *> cnp.PyArray_DATA(dloss_))
        else:
            repeat[double](
                <double *> cnp.PyArray_DATA(value), p.rows,
                <double *> cnp.PyArray_DATA(dloss_))
    shapes.check_shape(operation, "dloss", (<object> dloss_).shape, (p.rows,))
    p.dloss = cnp.PyArray_BYTES(dloss_)
    with nogil:
        run_rows(cross_entropy_backward_task, &p)
    return y


cdef cnp.ndarray run_sigmoid(object logits, object targets, object dloss):
    cdef SigmoidArgs p
    cdef str operation = "sigmoid_cross_entropy"
    cdef cnp.ndarray x = as_real(logits, operation, "logits")
    cdef cnp.ndarray t = as_real(targets, operation, "targets", x)
    cdef cnp.ndarray dloss_ = None
    cdef cnp.ndarray result
    shapes.check_shape(operation, "targets", targets.shape, logits.shape)
    p.dloss = NULL
    if dloss is not None:
        dloss_ = as_real(dloss, operation, "dloss", x)
        shapes.check_shape(operation, "dloss", dloss.shape, logits.shape)
        p.dloss = cnp.PyArray_BYTES(dloss_)
    result = like(x)
    p.size = cnp.PyArray_ITEMSIZE(x)
    p.kernels = microkernels(<int> p.size)
    p.n = cnp.PyArray_SIZE(x)
    p.logits = cnp.PyArray_BYTES(x)
    p.targets = cnp.PyArray_BYTES(t)
    p.result = cnp.PyArray_BYTES(result)
    with nogil:
        run_tasks(
            sigmoid_task, &p, span_count(p.n), threads_for(WORK * <double> p.n),
            NULL, 0)
    return result


def sigmoid_cross_entropy_forward(logits, targets):
    """Return the binary cross-entropy of each element.

    Parameters
    ----------
    logits : numpy.ndarray
        Any shape, float32 or float64.
    targets : numpy.ndarray
        The shape and type of `logits`, in [0, 1]; NaN marks a missing target.

    Returns
    -------
    numpy.ndarray
        The shape and type of `logits`; 0 where the target is missing.

    Raises
    ------
    DtypeError, ShapeError
    """
    return run_sigmoid(logits, targets, None)


def sigmoid_cross_entropy_backward(logits, targets, dloss):
    """Return the gradient with respect to the logits.

    Parameters
    ----------
    logits, targets : numpy.ndarray
        As in the forward pass.
    dloss : numpy.ndarray
        The gradient with respect to each element's loss.

    Returns
    -------
    numpy.ndarray
        dlogits, of the shape and type of `logits`; 0 where the target is missing.

    Raises
    ------
    DtypeError, ShapeError
    """
    if dloss is None:
        shapes.check_real("sigmoid_cross_entropy", dloss=np.asarray(dloss))
    return run_sigmoid(logits, targets, dloss)
