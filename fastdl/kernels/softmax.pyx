"""Softmax and the two cross-entropies: rows and spans for csrc/softmax.c."""

cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np

from fastdl import shapes
from fastdl.errors import ShapeError
from fastdl.kernels.engine.arrays cimport as_number, as_real, kernels_of, real
from fastdl.kernels.engine.memory cimport new_array, new_like
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.spans cimport SPAN, span_rows
from fastdl.kernels.engine.table cimport Softmax

cnp.import_array()

cdef enum:
    WORK = 48  # elementary operations an element, about


cdef cnp.ndarray set_rows(Softmax *p, cnp.ndarray x, str operation):
    """Set x and the result of `p`; return the array of the result."""
    cdef cnp.ndarray result
    if x.ndim == 0 or x.shape[x.ndim - 1] == 0:
        raise ShapeError(
            f"{operation}: expected rows of at least one class, got shape "
            f"{tuple(x.shape[i] for i in range(x.ndim))}"
        )
    result = new_like(x)
    p.classes = x.shape[x.ndim - 1]
    p.x = cnp.PyArray_DATA(x)
    p.result = cnp.PyArray_DATA(result)
    return result


cdef void run_rows(SpanKernel kernel, const Softmax *p, cnp.ndarray x):
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    with nogil:
        run_spans(
            kernel, p, n // p.classes, span_rows(p.classes), WORK * <double> n)


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


cdef cnp.ndarray set_labels(Softmax *p, cnp.ndarray x, object labels, str operation):
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
        p.targets = cnp.PyArray_DATA(array)
    return array


def softmax_forward(x):
    """Compiled `fastdl.reference.softmax.softmax_forward`."""
    cdef Softmax p
    cdef cnp.ndarray x_ = as_real(x, "softmax", "x")
    cdef cnp.ndarray y = set_rows(&p, x_, "softmax")
    run_rows(kernels_of(x_).softmax, &p, x_)
    return y


def log_softmax_forward(x):
    """Compiled `fastdl.reference.softmax.log_softmax_forward`."""
    cdef Softmax p
    cdef cnp.ndarray x_ = as_real(x, "log_softmax", "x")
    cdef cnp.ndarray y = set_rows(&p, x_, "log_softmax")
    run_rows(kernels_of(x_).log_softmax, &p, x_)
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
    """Compiled `fastdl.reference.softmax.softmax_cross_entropy_forward`."""
    cdef Softmax p
    cdef str operation = "cross_entropy"
    cdef cnp.ndarray x = as_real(logits, operation, "logits")
    cdef cnp.ndarray y = set_rows(&p, x, operation)
    # The array behind p.labels or p.targets lives as long as this name.
    cdef cnp.ndarray _labels = set_labels(&p, x, labels, operation)
    cdef int typenum = cnp.PyArray_TYPE(x)
    cdef cnp.ndarray losses = new_array(1, cnp.PyArray_DIMS(x), typenum)
    cdef cnp.ndarray loss
    cdef double factor = 1 if scale is None else as_number(scale, operation, "scale")
    p.loss = cnp.PyArray_BYTES(losses)
    run_rows(kernels_of(x).softmax_cross_entropy, &p, x)
    if scale is None:
        return losses, y
    loss = new_array(0, NULL, typenum)
    if typenum == cnp.NPY_FLOAT:
        add_up[float](
            <float *> p.loss, x.shape[0], factor, <float *> cnp.PyArray_DATA(loss))
    else:
        add_up[double](
            <double *> p.loss, x.shape[0], factor, <double *> cnp.PyArray_DATA(loss))
    return loss, y


def softmax_cross_entropy_backward(probabilities, labels, dloss):
    """Compiled `fastdl.reference.softmax.softmax_cross_entropy_backward`."""
    cdef Softmax p
    cdef str operation = "softmax_cross_entropy_backward"
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
                <float *> cnp.PyArray_DATA(value), x.shape[0],
                <float *> cnp.PyArray_DATA(dloss_))
        else:
            repeat[double](
                <double *> cnp.PyArray_DATA(value), x.shape[0],
                <double *> cnp.PyArray_DATA(dloss_))
    shapes.check_shape(operation, "dloss", (<object> dloss_).shape, (x.shape[0],))
    p.dloss = cnp.PyArray_BYTES(dloss_)
    run_rows(kernels_of(x).softmax_cross_entropy_backward, &p, x)
    return y


cdef cnp.ndarray run_sigmoid(
    object logits, object targets, object dloss, str operation,
):
    cdef Softmax p
    cdef cnp.ndarray x = as_real(logits, operation, "logits")
    cdef cnp.ndarray t = as_real(targets, operation, "targets", x)
    cdef cnp.ndarray dloss_ = None
    cdef SpanKernel kernel = kernels_of(x).sigmoid_cross_entropy
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    shapes.check_shape(operation, "targets", targets.shape, logits.shape)
    if dloss is not None:
        dloss_ = as_real(dloss, operation, "dloss", x)
        shapes.check_shape(operation, "dloss", dloss.shape, logits.shape)
        p.dloss = cnp.PyArray_DATA(dloss_)
        kernel = kernels_of(x).sigmoid_cross_entropy_backward
    cdef cnp.ndarray result = new_like(x)
    p.x = cnp.PyArray_DATA(x)
    p.targets = cnp.PyArray_DATA(t)
    p.result = cnp.PyArray_DATA(result)
    with nogil:
        run_spans(kernel, &p, n, SPAN, WORK * <double> n)
    return result


def sigmoid_cross_entropy_forward(logits, targets):
    """Compiled `fastdl.reference.softmax.sigmoid_cross_entropy_forward`."""
    return run_sigmoid(logits, targets, None, "binary_cross_entropy_with_logits")


def sigmoid_cross_entropy_backward(logits, targets, dloss):
    """Compiled `fastdl.reference.softmax.sigmoid_cross_entropy_backward`."""
    cdef str operation = "sigmoid_cross_entropy_backward"
    if dloss is None:
        shapes.check_real(operation, dloss=np.asarray(dloss))
    return run_sigmoid(logits, targets, dloss, operation)
