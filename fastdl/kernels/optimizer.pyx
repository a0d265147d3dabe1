"""One step of SGD, RMSprop, Adagrad or Adam, in place: spans for csrc/optimizer.c.

All arrays are read and written once in a step, so one call over one flat buffer of
all parameters runs at the speed of memory. No two of them share memory.
"""

cimport numpy as cnp
from libc.math cimport pow

from fastdl.errors import ArgumentError
from fastdl.kernels.engine.arrays cimport (
    as_flag, as_number, as_real, check_apart, check_same_shape, in_place, kernels_of,
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


cdef int set_rates(
    Step *p, object lr, object eps, object weight_decay, str operation,
) except -1:
    p.lr = as_number(lr, operation, "lr")
    p.eps = as_number(eps, operation, "eps")
    p.weight_decay = as_number(weight_decay, operation, "weight_decay")
    return 0


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
    p.momentum = as_number(momentum, "sgd_step", "momentum")
    if p.momentum:
        if velocity is None:
            raise ArgumentError("sgd_step: momentum needs an array of velocities")
        p.velocity = in_place(velocity, "sgd_step", "velocity", param)
    check_apart(
        "sgd_step", ("param", "velocity", "grad"),
        (param, velocity if p.momentum else None, grad_), 2)
    p.dampening = as_number(dampening, "sgd_step", "dampening")
    p.nesterov = as_flag(nesterov, "sgd_step", "nesterov")
    set_rates(&p, lr, 0, weight_decay, "sgd_step")
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
    p.momentum = as_number(momentum, "rmsprop_step", "momentum")
    if p.momentum:
        if velocity is None:
            raise ArgumentError("rmsprop_step: momentum needs an array of velocities")
        p.velocity = in_place(velocity, "rmsprop_step", "velocity", param)
    check_apart(
        "rmsprop_step", ("param", "square", "mean", "velocity", "grad"),
        (param, square, mean, velocity if p.momentum else None, grad_), 4)
    set_rates(&p, lr, eps, weight_decay, "rmsprop_step")
    p.keep = as_number(beta, "rmsprop_step", "beta")
    p.add = 1 - p.keep
    run(kernels_of(grad_).rmsprop, &p, grad_)


def adagrad_step(param, grad, square, *, lr, eps=1e-10, weight_decay=0.0):
    """Compiled `fastdl.reference.optimizer.adagrad_step`."""
    cdef Step p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "adagrad_step")
    p.square = in_place(square, "adagrad_step", "square", param)
    check_apart(
        "adagrad_step", ("param", "square", "grad"), (param, square, grad_), 2)
    set_rates(&p, lr, eps, weight_decay, "adagrad_step")
    p.keep, p.add, p.momentum = 1, 1, 0
    run(kernels_of(grad_).rmsprop, &p, grad_)


def adam_step(
    param, grad, m, v, largest=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8,
    weight_decay=0.0, decoupled=False, step,
):
    """Compiled `fastdl.reference.optimizer.adam_step`."""
    cdef Step p
    cdef cnp.ndarray grad_ = set_arrays(&p, param, grad, "adam_step")
    cdef double count = as_number(step, "adam_step", "step")
    if not count >= 1:
        raise ArgumentError(f"adam_step: step counts from 1, got {step!r}")
    p.mean = in_place(m, "adam_step", "m", param)
    p.square = in_place(v, "adam_step", "v", param)
    if largest is not None:
        p.largest = in_place(largest, "adam_step", "largest", param)
    check_apart(
        "adam_step", ("param", "m", "v", "largest", "grad"),
        (param, m, v, largest, grad_), 4)
    set_rates(&p, lr, eps, weight_decay, "adam_step")
    p.beta1 = as_number(beta1, "adam_step", "beta1")
    p.beta2 = as_number(beta2, "adam_step", "beta2")
    p.decoupled = as_flag(decoupled, "adam_step", "decoupled")
    p.correction1, p.correction2 = 1 - pow(p.beta1, count), 1 - pow(p.beta2, count)
    run(kernels_of(grad_).adam, &p, grad_)
