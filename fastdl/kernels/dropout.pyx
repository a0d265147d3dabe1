"""Inverted dropout with a counter-based mask: spans for csrc/dropout.c."""

import math
import operator

cimport numpy as cnp
from libc.stdint cimport uint64_t

from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport as_number, as_real, kernels_of
from fastdl.kernels.engine.memory cimport new_like
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.spans cimport SPAN
from fastdl.kernels.engine.table cimport Dropout

cnp.import_array()

cdef enum:
    WORK = 40  # elementary operations an element, about


cdef uint64_t word64(object value, str operation, str name) except? 0:
    """Return `value` when it is an integer in [0, 2**64)."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise ArgumentError(
            f"{operation}: {name} must be an integer in [0, 2**64), got {value!r}")
    return number


cdef cnp.ndarray run(
    object x, object keep_prob, object seed, object offset, str operation, str name,
):
    cdef Dropout p
    cdef cnp.ndarray x_ = as_real(x, operation, name)
    cdef SpanKernel kernel = kernels_of(x_).dropout
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x_)
    cdef cnp.ndarray y
    cdef double keep = as_number(keep_prob, operation, "keep_prob")
    if not 0 < keep <= 1:
        raise ArgumentError(
            f"{operation}: keep_prob must be above 0 and at most 1, got {keep_prob!r}")
    p.seed = word64(seed, operation, "seed")
    p.offset = word64(offset, operation, "offset")
    p.threshold = math.floor(keep * 2.0**32)
    p.scale = 1 / keep
    y = new_like(x_)
    p.x = cnp.PyArray_DATA(x_)
    p.y = cnp.PyArray_DATA(y)
    with nogil:
        run_spans(kernel, &p, n, SPAN, WORK * <double> n)
    return y


def dropout_forward(x, keep_prob, *, seed, offset):
    """Compiled `fastdl.reference.dropout.dropout_forward`."""
    return run(x, keep_prob, seed, offset, "dropout", "x")


def dropout_backward(dy, keep_prob, *, seed, offset):
    """Compiled `fastdl.reference.dropout.dropout_backward`."""
    return run(dy, keep_prob, seed, offset, "dropout_backward", "dy")
