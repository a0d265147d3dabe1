"""y = a + b, element by element: spans for csrc/elementwise.c."""

cimport numpy as cnp

from fastdl.kernels.engine.arrays cimport (
    as_output, as_real, check_apart, check_same_shape, kernels_of,
)
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.sizes cimport STREAMED
from fastdl.kernels.engine.spans cimport SPAN
from fastdl.kernels.engine.table cimport Sum

cnp.import_array()

cdef enum:
    WORK = 8  # elementary operations an element, about


def add(a, b, *, out=None):
    """Compiled `fastdl.reference.elementwise.add`.

    `out` may be a or b, but share no memory with them otherwise.
    """
    cdef Sum p
    cdef cnp.ndarray a_ = as_real(a, "add", "a")
    cdef cnp.ndarray b_ = as_real(b, "add", "b", a_)
    cdef SpanKernel kernel = kernels_of(a_).add_elements
    cdef Py_ssize_t n = cnp.PyArray_SIZE(a_)
    cdef cnp.ndarray y
    check_same_shape(b_, a_, "add", "b")
    y = as_output(
        out, cnp.PyArray_NDIM(a_), cnp.PyArray_DIMS(a_), cnp.PyArray_TYPE(a_), "add")
    p.a = cnp.PyArray_DATA(a_)
    p.b = cnp.PyArray_DATA(b_)
    p.y = cnp.PyArray_DATA(y)
    p.streams = out is None and cnp.PyArray_NBYTES(y) >= STREAMED
    if out is not None:
        if p.y != p.a:
            check_apart("add", ("out", "a"), (y, a_), 1)
        if p.y != p.b:
            check_apart("add", ("out", "b"), (y, b_), 1)
    with nogil:
        run_spans(kernel, &p, n, SPAN, WORK * <double> n)
    return y
