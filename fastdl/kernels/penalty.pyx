"""Penalties of weights and the limit of their norms: spans for csrc/penalty.c.

Each span, or block of rows, adds up its part; the parts are added in their order.
"""

cimport numpy as cnp
from libc.math cimport sqrt

from fastdl.errors import ArgumentError, ShapeError
from fastdl.kernels.engine.arrays cimport as_number, as_real, in_place, kernels_of
from fastdl.kernels.engine.memory cimport Block, new_array, new_block, new_like
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.spans cimport SPAN, span_rows
from fastdl.kernels.engine.table cimport MicroKernels, Norms, Penalty
from fastdl.shapes import is_positive

cnp.import_array()

cdef enum:
    WORK = 4  # elementary operations an element, about
    PARTS = 64  # blocks of rows, at most: few, as each has a sum for every column


cdef cnp.ndarray total(SpanKernel kernel, cnp.ndarray w, double strength):
    cdef Penalty p
    cdef Py_ssize_t n = cnp.PyArray_SIZE(w)
    cdef Py_ssize_t spans = ceil_div(n, SPAN)
    cdef Block memory = new_block(spans * sizeof(double))
    cdef cnp.ndarray result = new_array(0, NULL, cnp.PyArray_TYPE(w))
    cdef double sum_of_parts = 0
    cdef Py_ssize_t i
    p.w, p.parts, p.span = cnp.PyArray_DATA(w), <double *> memory.data, SPAN
    with nogil:
        run_spans(kernel, &p, n, SPAN, WORK * <double> n)
        for i in range(spans):
            sum_of_parts += p.parts[i]
    result[()] = strength * sum_of_parts
    return result


cdef cnp.ndarray gradient(SpanKernel kernel, cnp.ndarray w, double scale):
    cdef Penalty p
    cdef Py_ssize_t n = cnp.PyArray_SIZE(w)
    cdef cnp.ndarray dw = new_like(w)
    p.w, p.dw, p.scale = cnp.PyArray_DATA(w), cnp.PyArray_DATA(dw), scale
    with nogil:
        run_spans(kernel, &p, n, SPAN, WORK * <double> n)
    return dw


cdef double slope(object dy, object strength, str operation) except? -1:
    as_number(strength, operation, "strength")
    as_number(dy, operation, "dy")
    if isinstance(strength, int):  # more than the integers of NumPy hold
        strength = float(strength)
    return strength * dy  # in the type of dy, as the reference


def l1_penalty_forward(w, strength):
    """Compiled `fastdl.reference.penalty.l1_penalty_forward`."""
    cdef cnp.ndarray w_ = as_real(w, "l1_penalty", "w")
    return total(
        kernels_of(w_).l1_penalty, w_, as_number(strength, "l1_penalty", "strength"))


def l1_penalty_backward(dy, w, strength):
    """Compiled `fastdl.reference.penalty.l1_penalty_backward`."""
    cdef cnp.ndarray w_ = as_real(w, "l1_penalty_backward", "w")
    return gradient(
        kernels_of(w_).l1_penalty_backward, w_,
        slope(dy, strength, "l1_penalty_backward"))


def l2_penalty_forward(w, strength):
    """Compiled `fastdl.reference.penalty.l2_penalty_forward`."""
    cdef cnp.ndarray w_ = as_real(w, "l2_penalty", "w")
    return total(
        kernels_of(w_).l2_penalty, w_,
        0.5 * as_number(strength, "l2_penalty", "strength"))


def l2_penalty_backward(dy, w, strength):
    """Compiled `fastdl.reference.penalty.l2_penalty_backward`."""
    cdef cnp.ndarray w_ = as_real(w, "l2_penalty_backward", "w")
    return gradient(
        kernels_of(w_).l2_penalty_backward, w_,
        slope(dy, strength, "l2_penalty_backward"))


cdef bint fold(Norms *p, Py_ssize_t blocks, double limit) noexcept nogil:
    """Turn the first part into factors; return whether one is not 1."""
    cdef bint exceeds = False
    cdef double norm
    cdef Py_ssize_t i, j
    for i in range(1, blocks):
        for j in range(p.units):
            p.parts[j] += p.parts[i * p.units + j]
    for j in range(p.units):
        norm = sqrt(p.parts[j])
        p.parts[j] = 1
        if not norm <= limit:  # NaN spreads, as in the reference
            p.parts[j] = limit / norm
            exceeds = True
    return exceeds


def max_norm_step(weight, *, limit):
    """Compiled `fastdl.reference.penalty.max_norm_step`."""
    cdef Norms p
    cdef cnp.ndarray weight_ = as_real(weight, "max_norm_step", "weight")
    cdef const MicroKernels *kernels = kernels_of(weight_)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(weight_)
    cdef Py_ssize_t rows, blocks
    cdef double highest, work = WORK * <double> n
    cdef Block memory
    p.w = in_place(weight, "max_norm_step", "weight", None)
    if weight_.ndim == 0:
        raise ShapeError("max_norm_step: expected weight (..., units), got a number")
    if not is_positive(limit):
        raise ArgumentError(
            f"max_norm_step: limit must be a finite number > 0, got {limit!r}")
    if n == 0:
        return
    highest = limit
    p.units = weight_.shape[weight_.ndim - 1]
    rows = n // p.units
    p.span = max(span_rows(p.units), ceil_div(rows, PARTS))
    blocks = ceil_div(rows, p.span)
    memory = new_block(blocks * p.units * sizeof(double))
    p.parts = <double *> memory.data
    with nogil:
        run_spans(kernels.norm_squares, &p, rows, p.span, work)
        if fold(&p, blocks, highest):
            run_spans(kernels.norm_limit, &p, rows, p.span, work)
