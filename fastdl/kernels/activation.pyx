"""y = g(x) and dx = dy g'(x), element by element: spans for csrc/activation.c."""

cimport numpy as cnp

from fastdl import shapes
from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.engine.memory cimport new_array
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.spans cimport SPAN, span_count, span_length
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

if microkernels(4).activations.decode().split() != list(shapes.ACTIVATIONS):
    raise ImportError("they were built for another table of activations")

cdef struct ActivationArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t n
    int kind
    double parameter
    const char *dy  # NULL in the forward pass
    const char *source  # x, or what the derivative is computed from
    char *result


cdef void activation_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const ActivationArgs *p = <const ActivationArgs *> arguments
    cdef Py_ssize_t n = span_length(p.n, index)
    cdef Py_ssize_t at = index * SPAN * p.size
    if p.dy == NULL:
        p.kernels.activation_forward(
            p.kind, p.parameter, n, p.source + at, p.result + at)
    else:
        p.kernels.activation_backward(
            p.kind, p.parameter, n, p.dy + at, p.source + at, p.result + at)


cdef cnp.ndarray run(object kind, object parameter, cnp.ndarray dy, cnp.ndarray source):
    cdef ActivationArgs p
    cdef cnp.ndarray result = new_array(
        cnp.PyArray_NDIM(source), cnp.PyArray_DIMS(source), cnp.PyArray_TYPE(source))
    p.size = cnp.PyArray_ITEMSIZE(source)
    p.kernels = microkernels(<int> p.size)
    p.n = cnp.PyArray_SIZE(source)
    p.kind = shapes.activation_index(kind)
    p.parameter = 0 if parameter is None else parameter
    p.dy = NULL if dy is None else cnp.PyArray_BYTES(dy)
    p.source = cnp.PyArray_BYTES(source)
    p.result = cnp.PyArray_BYTES(result)
    cdef double work = shapes.ACTIVATIONS[kind].cost * <double> p.n
    with nogil:
        run_tasks(activation_task, &p, span_count(p.n), threads_for(work), NULL, 0)
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
    cdef str operation = "activation_forward"
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
