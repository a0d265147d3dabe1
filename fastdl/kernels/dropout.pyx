"""Inverted dropout with a counter-based mask: spans for csrc/dropout.c."""

import math
import operator

cimport numpy as cnp
from libc.stdint cimport uint64_t

from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.spans cimport SPAN, span_count, span_length
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

cdef enum:
    WORK = 40  # elementary operations an element, about

cdef struct DropoutArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t n
    uint64_t seed
    uint64_t offset
    uint64_t threshold
    double scale
    const char *x
    char *y


cdef void dropout_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const DropoutArgs *p = <const DropoutArgs *> arguments
    cdef Py_ssize_t start = index * SPAN
    p.kernels.dropout(
        span_length(p.n, index), p.seed, p.offset + <uint64_t> start, p.threshold,
        p.scale, p.x + start * p.size, p.y + start * p.size)


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
    cdef DropoutArgs p
    cdef cnp.ndarray x_ = as_real(x, operation, name)
    cdef cnp.ndarray y
    if not 0 < keep_prob <= 1:
        raise ArgumentError(
            f"{operation}: keep_prob must be above 0 and at most 1, got {keep_prob!r}")
    p.seed = word64(seed, operation, "seed")
    p.offset = word64(offset, operation, "offset")
    p.threshold = math.floor(keep_prob * 2**32)
    p.scale = 1 / keep_prob
    y = new_array(
        cnp.PyArray_NDIM(x_), cnp.PyArray_DIMS(x_), cnp.PyArray_TYPE(x_))
    p.size = cnp.PyArray_ITEMSIZE(x_)
    p.kernels = microkernels(<int> p.size)
    p.n = cnp.PyArray_SIZE(x_)
    p.x = cnp.PyArray_BYTES(x_)
    p.y = cnp.PyArray_BYTES(y)
    with nogil:
        run_tasks(
            dropout_task, &p, span_count(p.n), threads_for(WORK * <double> p.n),
            NULL, 0)
    return y


def dropout_forward(x, keep_prob, *, seed, offset):
    """Return x with elements dropped at random and the others scaled up.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    keep_prob : float
        The probability to keep an element, in (0, 1].
    seed : int
        In [0, 2**64): the stream of random numbers.
    offset : int
        The number in the stream of the first element, in [0, 2**64).

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ArgumentError, DtypeError
    """
    return run(x, keep_prob, seed, offset, "dropout_forward", "x")


def dropout_backward(dy, keep_prob, *, seed, offset):
    """Return dx: the same mask and the same scale, applied to `dy`.

    Parameters
    ----------
    dy : numpy.ndarray
        The gradient with respect to y.
    keep_prob, seed, offset
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        The shape and type of `dy`.

    Raises
    ------
    ArgumentError, DtypeError
    """
    return run(dy, keep_prob, seed, offset, "dropout_backward", "dy")
