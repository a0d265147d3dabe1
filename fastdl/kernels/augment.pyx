"""Images seen through a map of the plane: groups of rows for csrc/augment.c."""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.table cimport MicroKernels, Warp

cnp.import_array()

cdef enum:
    TASK = 4096  # elements of y made by a task, about
    WORK = 16  # elementary operations an element, about

cdef struct WarpArgs:
    const MicroKernels *kernels
    Warp sizes
    Py_ssize_t rows  # in the whole batch
    Py_ssize_t rows_per_task
    const char *x
    const char *matrix
    const char *displacement  # NULL when there is none
    char *y


cdef void warp_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const WarpArgs *p = <const WarpArgs *> arguments
    cdef Py_ssize_t row = index * p.rows_per_task
    p.kernels.affine_warp(
        &p.sizes, row, min(row + p.rows_per_task, p.rows), p.x, p.matrix,
        p.displacement, p.y)


def affine_warp(x, matrix, displacement=None, *, fill="constant"):
    """Return the images seen through maps of the plane, by bilinear interpolation.

    Parameters
    ----------
    x : numpy.ndarray
        Images (n, h, w, c), float32 or float64.
    matrix : numpy.ndarray
        (n, 2, 3): the row and the column of x that pixel (i, j) of the result shows
        are ``matrix @ (i, j, 1)``.
    displacement : numpy.ndarray, optional
        (n, 2, h, w): added to that row and column.
    fill : str
        What lies outside an image: "constant" (zeros), "edge" (the nearest pixel) or
        "reflect" (the mirror image, without the border pixel a second time).

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef WarpArgs p
    cdef Warp *g = &p.sizes
    cdef cnp.ndarray x_ = as_real(x, "affine_warp", "x")
    cdef cnp.ndarray matrix_ = as_real(matrix, "affine_warp", "matrix", x_)
    cdef cnp.ndarray displacement_ = None
    cdef cnp.ndarray y
    if displacement is not None:
        displacement_ = as_real(displacement, "affine_warp", "displacement", x_)
    g.n, g.h, g.w, g.c, g.fill = shapes.affine_warp(
        x.shape, matrix.shape,
        None if displacement is None else displacement.shape, fill)
    y = new_array(4, cnp.PyArray_DIMS(x_), cnp.PyArray_TYPE(x_))
    p.kernels = microkernels(<int> cnp.PyArray_ITEMSIZE(x_))
    p.rows = g.n * g.h
    p.rows_per_task = max(<Py_ssize_t> 1, TASK // (g.w * g.c))
    p.x = cnp.PyArray_BYTES(x_)
    p.matrix = cnp.PyArray_BYTES(matrix_)
    p.displacement = NULL
    if displacement is not None:
        p.displacement = cnp.PyArray_BYTES(displacement_)
    p.y = cnp.PyArray_BYTES(y)
    with nogil:
        run_tasks(
            warp_task, &p, (p.rows + p.rows_per_task - 1) // p.rows_per_task,
            threads_for(WORK * <double> p.rows * g.w * g.c), NULL, 0)
    return y
