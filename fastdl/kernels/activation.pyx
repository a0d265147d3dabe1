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

EXPONENTIALS = ("sigmoid", "tanh", "silu", "gelu")

cdef enum:  # elementary operations an element, about
    SIMPLE = 8
    EXPONENTIAL = 32

cdef struct ActivationArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t n
    int kind
    double slope
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
            p.kind, p.slope, n, p.source + at, p.result + at)
    else:
        p.kernels.activation_backward(
            p.kind, p.slope, n, p.dy + at, p.source + at, p.result + at)


cdef cnp.ndarray run(object kind, double slope, cnp.ndarray dy, cnp.ndarray source):
    cdef ActivationArgs p
    cdef cnp.ndarray result = new_array(
        cnp.PyArray_NDIM(source), cnp.PyArray_DIMS(source), cnp.PyArray_TYPE(source))
    p.size = cnp.PyArray_ITEMSIZE(source)
    p.kernels = microkernels(<int> p.size)
    p.n = cnp.PyArray_SIZE(source)
    p.kind = shapes.ACTIVATIONS.index(kind)
    p.slope = slope
    p.dy = NULL if dy is None else cnp.PyArray_BYTES(dy)
    p.source = cnp.PyArray_BYTES(source)
    p.result = cnp.PyArray_BYTES(result)
    cdef double work = EXPONENTIAL if kind in EXPONENTIALS else SIMPLE
    with nogil:
        run_tasks(
            activation_task, &p, span_count(p.n), threads_for(work * p.n), NULL, 0)
    return result


def activation_forward(x, kind, *, slope=0.01):
    """Return y = g(x); see `fastdl.reference.activation` for the functions.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape, float32 or float64.
    kind : str
        One of ``shapes.ACTIVATIONS``.
    slope : float
        Of leaky_relu, left of 0.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `x`.

    Raises
    ------
    ArgumentError, DtypeError
    """
    shapes.activation_index(kind, "activation_forward")
    return run(kind, slope, None, as_real(x, "activation_forward", "x"))


def activation_backward(dy, x, y, kind, *, slope=0.01):
    """Return dx = dy g'(x).

    Parameters
    ----------
    dy : numpy.ndarray
        The gradient with respect to y.
    x : numpy.ndarray or None
        The input. May be None for relu, leaky_relu (with slope > 0), sigmoid, tanh,
        relu6 and identity.
    y : numpy.ndarray or None
        The output. May be None for silu, hard_swish, gelu, leaky_relu with `x`, and
        identity.
    kind : str
        One of ``shapes.ACTIVATIONS``.
    slope : float
        Of leaky_relu, left of 0.

    Returns
    -------
    numpy.ndarray
        A new array of the shape and type of `dy`.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef str operation = "activation_backward"
    shapes.activation_index(kind, operation)
    cdef cnp.ndarray grad = as_real(dy, operation, "dy")
    cdef str name
    if kind == "identity":
        return run(kind, slope, grad, grad)
    if kind in ("silu", "hard_swish", "gelu"):
        name = "x"
    elif kind == "leaky_relu" and (slope <= 0 or y is None):
        name = "x"  # y has the sign of x only when the slope is positive
    else:
        name = "y"
    source = x if name == "x" else y
    if source is None:
        raise ArgumentError(f"{operation}: the derivative of {kind} needs {name}")
    source = as_real(source, operation, name, grad)
    shapes.check_shape(operation, name, source.shape, dy.shape)
    return run(kind, slope, grad, source)
