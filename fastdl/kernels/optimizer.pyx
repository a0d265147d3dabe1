"""One step of SGD, RMSprop, Adagrad or Adam, in place: spans for csrc/optimizer.c.

All arrays are read and written once in a step, so one call over one flat buffer of
all parameters runs at the speed of memory. No two of them share memory.
"""

cimport numpy as cnp
from libc.math cimport pow

from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport (
    as_real, check_apart, check_same_shape, in_place,
)
from fastdl.kernels.engine.runtime cimport Task, microkernels, run_tasks, threads_for
from fastdl.kernels.engine.spans cimport SPAN, span_count, span_length
from fastdl.kernels.engine.table cimport MicroKernels

cnp.import_array()

cdef enum:
    WORK = 16  # elementary operations an element, about

cdef struct StepArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t n
    char *param
    const char *grad
    char *first  # velocity or NULL, square, m
    char *second  # v, mean or NULL
    char *third  # largest, RMSprop's velocity, or NULL
    double lr, eps, weight_decay
    double momentum  # SGD, RMSprop
    double dampening  # SGD
    bint nesterov
    double keep, add  # RMSprop, Adagrad
    double beta1, beta2
    double correction1, correction2
    bint decoupled


cdef char *at_or_null(char *array, Py_ssize_t at) noexcept nogil:
    return NULL if array == NULL else array + at


cdef void sgd_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const StepArgs *p = <const StepArgs *> arguments
    cdef Py_ssize_t at = index * SPAN * p.size
    p.kernels.sgd(
        span_length(p.n, index), p.param + at, p.grad + at, at_or_null(p.first, at),
        p.lr, p.momentum, p.dampening, p.nesterov, p.weight_decay)


cdef void rmsprop_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const StepArgs *p = <const StepArgs *> arguments
    cdef Py_ssize_t at = index * SPAN * p.size
    p.kernels.rmsprop(
        span_length(p.n, index), p.param + at, p.grad + at, p.first + at,
        at_or_null(p.second, at), at_or_null(p.third, at), p.lr, p.keep, p.add, p.eps,
        p.momentum, p.weight_decay)


cdef void adam_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const StepArgs *p = <const StepArgs *> arguments
    cdef Py_ssize_t at = index * SPAN * p.size
    p.kernels.adam(
        span_length(p.n, index), p.param + at, p.grad + at, p.first + at,
        p.second + at, at_or_null(p.third, at), p.lr, p.beta1, p.beta2, p.eps,
        p.weight_decay, p.decoupled, p.correction1, p.correction2)


cdef cnp.ndarray set_arrays(StepArgs *p, object param, object grad, str operation):
    """Set the arrays of `p` that all optimisers have; return what holds grad."""
    cdef cnp.ndarray gradient
    p.param = in_place(param, operation, "param", None)
    gradient = as_real(grad, operation, "grad", param)
    check_same_shape(gradient, param, operation, "grad")
    p.grad = cnp.PyArray_BYTES(gradient)
    p.size = cnp.PyArray_ITEMSIZE(gradient)
    p.kernels = microkernels(<int> p.size)
    p.n = cnp.PyArray_SIZE(gradient)
    return gradient


cdef void run(Task task, const StepArgs *p) noexcept nogil:
    run_tasks(
        task, p, span_count(p.n), threads_for(WORK * <double> p.n), NULL, 0)


def sgd_step(
    param, grad, velocity, *, lr, momentum=0.0, dampening=0.0, nesterov=False,
    weight_decay=0.0,
):
    """Update `param` and `velocity` in place by stochastic gradient descent.

    Parameters
    ----------
    param, grad : numpy.ndarray
        The parameters and their gradient, of one shape, float32 or float64.
    velocity : numpy.ndarray or None
        The running sum of gradients, zero at first; None when `momentum` is 0.
    lr : float
        The learning rate.
    momentum : float
        The weight of the old velocity, in [0, 1).
    dampening : float
        1 minus the weight of the new gradient.
    nesterov : bool
        Whether to look ahead.
    weight_decay : float
        The L2 coefficient.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef StepArgs p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "sgd_step")
    p.first = NULL
    if momentum:
        if velocity is None:
            raise ArgumentError("sgd_step: momentum needs an array of velocities")
        p.first = in_place(velocity, "sgd_step", "velocity", param)
    check_apart(
        "sgd_step", ("param", "velocity", "grad"),
        (param, velocity if momentum else None, grad_), 2)
    p.lr, p.momentum, p.dampening = lr, momentum, dampening
    p.nesterov, p.weight_decay = nesterov, weight_decay
    with nogil:
        run(sgd_task, &p)


def rmsprop_step(
    param, grad, square, mean=None, velocity=None, *, lr, beta=0.9, eps=1e-8,
    momentum=0.0, weight_decay=0.0,
):
    """Update `param` and its state in place by RMSprop.

    Parameters
    ----------
    param, grad : numpy.ndarray
        The parameters and their gradient, of one shape, float32 or float64.
    square : numpy.ndarray
        The running mean of squared gradients, zero at first.
    mean : numpy.ndarray or None
        The running mean of gradients, zero at first; None when not centred.
    velocity : numpy.ndarray or None
        The running sum of steps, zero at first; None when `momentum` is 0.
    lr : float
        The learning rate.
    beta : float
        The weight of the old means, in [0, 1).
    eps : float
        Added to the root.
    momentum : float
        The weight of the old velocity, in [0, 1).
    weight_decay : float
        The L2 coefficient.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef StepArgs p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "rmsprop_step")
    p.first = in_place(square, "rmsprop_step", "square", param)
    p.second = p.third = NULL
    if mean is not None:
        p.second = in_place(mean, "rmsprop_step", "mean", param)
    if momentum:
        if velocity is None:
            raise ArgumentError("rmsprop_step: momentum needs an array of velocities")
        p.third = in_place(velocity, "rmsprop_step", "velocity", param)
    check_apart(
        "rmsprop_step", ("param", "square", "mean", "velocity", "grad"),
        (param, square, mean, velocity if momentum else None, grad_), 4)
    p.lr, p.eps, p.weight_decay = lr, eps, weight_decay
    p.keep, p.add, p.momentum = beta, 1 - beta, momentum
    with nogil:
        run(rmsprop_task, &p)


def adagrad_step(param, grad, square, *, lr, eps=1e-10, weight_decay=0.0):
    """Update `param` and `square` in place by Adagrad.

    Parameters
    ----------
    param, grad : numpy.ndarray
        The parameters and their gradient, of one shape, float32 or float64.
    square : numpy.ndarray
        The sum of squared gradients, zero at first.
    lr : float
        The learning rate.
    eps : float
        Added to the root.
    weight_decay : float
        The L2 coefficient.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef StepArgs p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "adagrad_step")
    p.first = in_place(square, "adagrad_step", "square", param)
    check_apart(
        "adagrad_step", ("param", "square", "grad"), (param, square, grad_), 2)
    p.second = p.third = NULL
    p.lr, p.eps, p.weight_decay = lr, eps, weight_decay
    p.keep, p.add, p.momentum = 1, 1, 0
    with nogil:
        run(rmsprop_task, &p)


def adam_step(
    param, grad, m, v, largest=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8,
    weight_decay=0.0, decoupled=False, step,
):
    """Update `param` and its state in place by Adam, or AdamW when `decoupled`.

    Parameters
    ----------
    param, grad : numpy.ndarray
        The parameters and their gradient, of one shape, float32 or float64.
    m, v : numpy.ndarray
        The running means of gradients and squared gradients, zero at first.
    largest : numpy.ndarray or None
        The largest `v` so far, zero at first, for AMSGrad.
    lr : float
        The learning rate.
    beta1, beta2 : float
        The weights of the old means, in [0, 1).
    eps : float
        Added to the root.
    weight_decay : float
        The coefficient of L2, or of the shrinking when `decoupled`.
    decoupled : bool
        Whether weight decay bypasses the gradient.
    step : int
        The number of this step, from 1.

    Raises
    ------
    ArgumentError, DtypeError, ShapeError
    """
    cdef StepArgs p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "adam_step")
    if step < 1:
        raise ArgumentError(f"adam_step: step counts from 1, got {step!r}")
    p.first = in_place(m, "adam_step", "m", param)
    p.second = in_place(v, "adam_step", "v", param)
    p.third = NULL
    if largest is not None:
        p.third = in_place(largest, "adam_step", "largest", param)
    check_apart(
        "adam_step", ("param", "m", "v", "largest", "grad"),
        (param, m, v, largest, grad_), 4)
    p.lr, p.beta1, p.beta2, p.eps = lr, beta1, beta2, eps
    p.weight_decay, p.decoupled = weight_decay, decoupled
    p.correction1, p.correction2 = 1 - pow(p.beta1, step), 1 - pow(p.beta2, step)
    with nogil:
        run(adam_task, &p)
