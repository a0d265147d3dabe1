"""One step of SGD, RMSprop, Adagrad or Adam, in place: spans for csrc/optimizer.c.

All arrays are read and written once in a step, so one call over one flat buffer of
all parameters runs at the speed of memory. No two of them share memory.
"""

cimport numpy as cnp
from libc.math cimport pow

from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport (
    as_real, check_apart, check_same_shape, in_place, kernels_of,
)
from fastdl.kernels.engine.runtime cimport SpanKernel, run_spans
from fastdl.kernels.engine.spans cimport SPAN
from fastdl.kernels.engine.table cimport Step

cnp.import_array()

cdef enum:
    WORK = 16  # elementary operations an element, about


cdef cnp.ndarray set_arrays(Step *p, object param, object grad, str operation):
    """Set the arrays of `p` that all optimisers have, and no others; return grad's."""
    cdef cnp.ndarray gradient
    p.param = in_place(param, operation, "param", None)
    gradient = as_real(grad, operation, "grad", param)
    check_same_shape(gradient, param, operation, "grad")
    p.grad = cnp.PyArray_BYTES(gradient)
    p.velocity = p.mean = p.square = p.largest = NULL
    return gradient


cdef void run(SpanKernel kernel, const Step *p, cnp.ndarray grad):
    cdef Py_ssize_t n = cnp.PyArray_SIZE(grad)
    with nogil:
        run_spans(kernel, p, n, SPAN, WORK * <double> n)


def sgd_step(
    param, grad, velocity, *, lr, momentum=0.0, dampening=0.0, nesterov=False,
    weight_decay=0.0,
):
    """Compiled `fastdl.reference.optimizer.sgd_step`."""
    cdef Step p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "sgd_step")
    if momentum:
        if velocity is None:
            raise ArgumentError("sgd_step: momentum needs an array of velocities")
        p.velocity = in_place(velocity, "sgd_step", "velocity", param)
    check_apart(
        "sgd_step", ("param", "velocity", "grad"),
        (param, velocity if momentum else None, grad_), 2)
    p.lr, p.momentum, p.dampening = lr, momentum, dampening
    p.nesterov, p.weight_decay = nesterov, weight_decay
    run(kernels_of(grad_).sgd, &p, grad_)


def rmsprop_step(
    param, grad, square, mean=None, velocity=None, *, lr, beta=0.9, eps=1e-8,
    momentum=0.0, weight_decay=0.0,
):
    """Compiled `fastdl.reference.optimizer.rmsprop_step`."""
    cdef Step p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "rmsprop_step")
    p.square = in_place(square, "rmsprop_step", "square", param)
    if mean is not None:
        p.mean = in_place(mean, "rmsprop_step", "mean", param)
    if momentum:
        if velocity is None:
            raise ArgumentError("rmsprop_step: momentum needs an array of velocities")
        p.velocity = in_place(velocity, "rmsprop_step", "velocity", param)
    check_apart(
        "rmsprop_step", ("param", "square", "mean", "velocity", "grad"),
        (param, square, mean, velocity if momentum else None, grad_), 4)
    p.lr, p.eps, p.weight_decay = lr, eps, weight_decay
    p.keep, p.add, p.momentum = beta, 1 - beta, momentum
    run(kernels_of(grad_).rmsprop, &p, grad_)


def adagrad_step(param, grad, square, *, lr, eps=1e-10, weight_decay=0.0):
    """Compiled `fastdl.reference.optimizer.adagrad_step`."""
    cdef Step p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "adagrad_step")
    p.square = in_place(square, "adagrad_step", "square", param)
    check_apart(
        "adagrad_step", ("param", "square", "grad"), (param, square, grad_), 2)
    p.lr, p.eps, p.weight_decay = lr, eps, weight_decay
    p.keep, p.add, p.momentum = 1, 1, 0
    run(kernels_of(grad_).rmsprop, &p, grad_)


def adam_step(
    param, grad, m, v, largest=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8,
    weight_decay=0.0, decoupled=False, step,
):
    """Compiled `fastdl.reference.optimizer.adam_step`."""
    cdef Step p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "adam_step")
    if step < 1:
        raise ArgumentError(f"adam_step: step counts from 1, got {step!r}")
    p.mean = in_place(m, "adam_step", "m", param)
    p.square = in_place(v, "adam_step", "v", param)
    if largest is not None:
        p.largest = in_place(largest, "adam_step", "largest", param)
    check_apart(
        "adam_step", ("param", "m", "v", "largest", "grad"),
        (param, m, v, largest, grad_), 4)
    p.lr, p.beta1, p.beta2, p.eps = lr, beta1, beta2, eps
    p.weight_decay, p.decoupled = weight_decay, decoupled
    p.correction1, p.correction2 = 1 - pow(p.beta1, step), 1 - pow(p.beta2, step)
    run(kernels_of(grad_).adam, &p, grad_)
