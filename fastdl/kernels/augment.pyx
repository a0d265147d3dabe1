"""Images seen through a map of the plane: groups of rows for csrc/augment.c."""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_real, kernels_of
from fastdl.kernels.engine.memory cimport new_like
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.spans cimport span_rows
from fastdl.kernels.engine.table cimport Warp

cnp.import_array()

cdef enum:
    WORK = 16  # elementary operations an element, about
    COST = 4  # of an element, in elements of simple operations


def affine_warp(x, matrix, displacement=None, *, fill="constant"):
    """Compiled `fastdl.reference.augment.affine_warp`."""
    cdef Warp p
    cdef cnp.ndarray x_ = as_real(x, "affine_warp", "x")
    cdef cnp.ndarray matrix_ = as_real(matrix, "affine_warp", "matrix", x_)
    cdef cnp.ndarray displacement_ = None
    cdef cnp.ndarray y
    cdef SpanKernel kernel = kernels_of(x_).affine_warp
    if displacement is not None:
        displacement_ = as_real(displacement, "affine_warp", "displacement", x_)
    p.n, p.h, p.w, p.c, p.fill = shapes.affine_warp(
        x.shape, matrix.shape,
        None if displacement is None else displacement.shape, fill)
    y = new_like(x_)
    p.x = cnp.PyArray_DATA(x_)
    p.matrix = cnp.PyArray_DATA(matrix_)
    p.displacement = NULL
    if displacement is not None:
        p.displacement = cnp.PyArray_DATA(displacement_)
    p.y = cnp.PyArray_DATA(y)
    with nogil:
        run_spans(
            kernel, &p, p.n * p.h, span_rows(COST * p.w * p.c),
            WORK * <double> cnp.PyArray_SIZE(x_))
    return y
