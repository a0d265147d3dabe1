"""y = x s, a number for each channel of each image: spans for csrc/scale.c."""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_real, check_same_shape, kernels_of
from fastdl.kernels.engine.memory cimport Block, new_block, new_like
from fastdl.kernels.engine.runtime cimport run_spans
from fastdl.kernels.engine.sizes cimport ceil_div
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport MicroKernels, Scale

cnp.import_array()

cdef enum:
    PART = 16384  # elements of a part of an image
    CHAIN = 256  # pixels that are added up in their own type, at most
    WORK = 8  # elementary operations an element, about


cdef cnp.ndarray describe(
    Scale *g, cnp.ndarray x, object scale, str operation,
):
    """Fill in the sizes and s, and return its array."""
    cdef cnp.ndarray s = as_real(scale, operation, "scale", x)
    g.n, g.pixels, g.c = shapes.scale((<object> x).shape, (<object> s).shape, operation)
    g.s = cnp.PyArray_DATA(s)
    g.x = cnp.PyArray_DATA(x)
    return s


def scale_forward(x, scale):
    """Compiled `fastdl.reference.scale.scale_forward`."""
    cdef Scale g
    cdef cnp.ndarray x_ = as_real(x, "scale", "x")
    cdef cnp.ndarray _s = describe(&g, x_, scale, "scale")  # keeps the memory
    cdef cnp.ndarray y = new_like(x_)
    cdef const MicroKernels *kernels = kernels_of(x_)
    g.result = cnp.PyArray_DATA(y)
    with nogil:
        run_spans(
            kernels.scale_pixels, &g, g.n * g.pixels, span_rows(g.c),
            WORK * <double> g.n * g.pixels * g.c)
    return y


def scale_backward(dy, x, scale):
    """Compiled `fastdl.reference.scale.scale_backward`."""
    cdef Scale g
    cdef str operation = "scale_backward"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy", x_)
    cdef cnp.ndarray s = describe(&g, x_, scale, operation)
    cdef cnp.ndarray dx = new_like(x_)
    cdef cnp.ndarray dscale = new_like(s)
    cdef const MicroKernels *kernels = kernels_of(x_)
    cdef double work
    cdef Block sums
    check_same_shape(dy_, x_, operation, "dy")
    g.part_pixels = min(
        <Py_ssize_t> CHAIN, max(<Py_ssize_t> 1, PART // max(g.c, <Py_ssize_t> 1)))
    g.parts = ceil_div(g.pixels, g.part_pixels)
    sums = new_block(g.n * g.parts * g.c * cnp.PyArray_ITEMSIZE(x_))
    g.sums = sums.data
    g.dy, g.result = cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(dx)
    g.ds = cnp.PyArray_DATA(dscale)
    work = WORK * <double> g.n * g.pixels * g.c
    with nogil:
        run_spans(kernels.scale_backward, &g, g.n * g.parts, 1, work)
        run_spans(kernels.scale_sum, &g, g.n, 1, WORK * <double> g.n * g.parts * g.c)
    return dx, dscale
