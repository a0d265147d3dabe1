"""y = g(x) and dx = dy g'(x), element by element: spans for csrc/activation.c."""

cimport numpy as cnp

from fastdl import shapes
from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport as_real, kernels_of
from fastdl.kernels.engine.memory cimport new_like
from fastdl.kernels.engine.runtime cimport SpanKernel, microkernels, run_spans
from fastdl.kernels.engine.sizes cimport STREAMED
from fastdl.kernels.engine.spans cimport SPAN
from fastdl.kernels.engine.table cimport Activation

cnp.import_array()

if microkernels(4).activations.decode().split() != list(shapes.ACTIVATIONS):
    raise ImportError("they were built for another table of activations")


cdef cnp.ndarray run(object kind, object parameter, cnp.ndarray dy, cnp.ndarray source):
    cdef Activation p
    cdef SpanKernel kernel = kernels_of(source).activation_forward
    cdef cnp.ndarray result = new_like(source)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(source)
    cdef double work = shapes.ACTIVATIONS[kind].cost * <double> n
    p.kind = shapes.activation_index(kind)
    p.parameter = 0 if parameter is None else parameter
    p.streams = cnp.PyArray_NBYTES(result) >= STREAMED
    p.dy = NULL
    p.source = cnp.PyArray_DATA(source)
    p.result = cnp.PyArray_DATA(result)
    if dy is not None:
        kernel = kernels_of(source).activation_backward
        p.dy = cnp.PyArray_DATA(dy)
    with nogil:
        run_spans(kernel, &p, n, SPAN, work)
    return result


def activation_forward(x, kind, *, parameter=None):
    """Return y = g(x); see `fastdl.reference.activation` for the functions.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    kind : str
        One of ``shapes.ACTIVATIONS``.
    parameter : float, optional
        Of the kinds that have one; by default the usual one.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `x`.

    Raises
    ------
    ArgumentError, DtypeError
    """
    cdef str operation = "activation"
    shapes.activation_row(kind, operation)
    parameter = shapes.activation_parameter(kind, parameter, operation)
    return run(kind, parameter, None, as_real(x, operation, "x"))


def activation_backward(dy, x, y, kind, *, parameter=None):
    """Return dx = dy g'(x).

    Parameters
    ----------
    dy : numpy.ndarray
        The gradient with respect to y.
    x, y : numpy.ndarray or None
        The input and the output. One may be None: ``shapes.ACTIVATIONS[kind].source``
        says which is read.
    kind : str
        One of ``shapes.ACTIVATIONS``.
    parameter : float, optional
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `dy`.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef str operation = "activation_backward"
    row = shapes.activation_row(kind, operation)
    parameter = shapes.activation_parameter(kind, parameter, operation)
    cdef cnp.ndarray grad = as_real(dy, operation, "dy")
    cdef str name = row.source(parameter)
    source = {"x": x, "y": y, "dy": grad}[name]
    if source is None:
        raise ArgumentError(f"{operation}: the derivative of {kind} needs {name}")
    source = as_real(source, operation, name, grad)
    shapes.check_shape(operation, name, source.shape, dy.shape)
    return run(kind, parameter, grad, source)
