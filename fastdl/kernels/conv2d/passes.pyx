"""Convolution and its two gradients: check, choose, allocate, run.

    y[n, i, j] = g(bias + sum_{ky, kx} x[n, i s + ky d - p, j s + kx d - p]
                                       weight[ky, kx])
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.errors import ShapeError
from fastdl.kernels.conv2d.algorithm cimport PLAN_WORDS, Algorithm
from fastdl.kernels.conv2d.choose cimport choose
from fastdl.kernels.conv2d.problem cimport (
    FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Pass, Problem,
)
from fastdl.kernels.engine.arrays cimport (
    as_flag, as_output, as_real, check_apart, overlaps,
)
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.runtime cimport microkernels, threads_for
from fastdl.kernels.engine.sizes cimport MULTIPLY_ADDS
from fastdl.kernels.engine.workspace cimport Workspace, workspace

cnp.import_array()


cdef Problem problem_of(Pass wanted, object sizes, int size) except *:
    """Return the problem for sizes of shapes.conv2d; the arrays are still missing."""
    cdef Problem p
    p.wanted, p.size = wanted, size
    p.kernels = microkernels(size)
    (p.n, p.h, p.w, p.c, p.kh, p.kw, p.oc, p.oh, p.ow, p.stride_h, p.stride_w,
     p.top, _, p.left, _, p.dilation_h, p.dilation_w, p.groups) = sizes
    p.group_in, p.group_out = p.c // p.groups, p.oc // p.groups
    p.bias = NULL
    p.activation = 0
    return p


cdef compute(Problem *p, object name, str operation):
    """Let the cheapest algorithm compute it, with memory for the time of the call."""
    if p.n > 1 and p.kh == p.kw == p.stride_h == p.stride_w == 1 and (
            p.oh == p.h and p.ow == p.w):
        p.h = p.oh = p.n * p.h  # each pixel is alone: the batch is one tall image
        p.n = 1
    cdef const Algorithm *algorithm = choose(p, name, operation)
    cdef Py_ssize_t plan[PLAN_WORDS]
    cdef Workspace memory = workspace(NULL)
    p.threads = threads_for(algorithm.cost(p) / MULTIPLY_ADDS)
    algorithm.plan(p, &memory, plan)
    cdef Block block = new_block(memory.bytes)
    memory = workspace(<char *> block.data)
    with nogil:
        algorithm.plan(p, &memory, plan)
        algorithm.run(plan)


def conv2d_forward(
    x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1,
    activation=None, algorithm=None, out=None,
):
    """`fastdl.reference.conv2d_forward`; `algorithm` is one of shapes.CONV_ALGORITHMS,
    or None for the one that is set for all; `out` may share memory with bias only.
    """
    cdef cnp.ndarray x_ = as_real(x, "conv2d", "x")
    cdef cnp.ndarray weight_ = as_real(weight, "conv2d", "weight", x_)
    cdef cnp.ndarray bias_ = None
    cdef Problem p = problem_of(
        FORWARD,
        shapes.conv2d(x.shape, weight.shape, stride, padding, dilation, groups),
        cnp.PyArray_ITEMSIZE(x_))
    if bias is not None:
        bias_ = as_real(bias, "conv2d", "bias", x_)
        shapes.check_shape("conv2d", "bias", bias.shape, (p.oc,))
    if activation is not None:
        p.activation = shapes.activation_index(activation, "conv2d")
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = p.n, p.oh, p.ow, p.oc
    cdef cnp.ndarray y = as_output(out, 4, shape, cnp.PyArray_TYPE(x_), "conv2d")
    if out is not None:
        check_apart("conv2d", ("out", "x", "weight"), (y, x_, weight_), 1)
        if bias_ is not None and overlaps(y, bias_):
            bias_ = bias_.copy()
    p.x, p.weight = cnp.PyArray_BYTES(x_), cnp.PyArray_BYTES(weight_)
    p.y = cnp.PyArray_BYTES(y)
    if bias_ is not None:
        p.bias = cnp.PyArray_BYTES(bias_)
    compute(&p, algorithm, "conv2d")
    return y


def conv2d_backward_input(
    dy, weight, input_shape, *, stride=1, padding=0, dilation=1, groups=1,
    algorithm=None,
):
    """`fastdl.reference.conv2d_backward_input`; `algorithm` as in the forward pass."""
    cdef str operation = "conv2d_backward_input"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    cdef cnp.ndarray weight_ = as_real(weight, operation, "weight", dy_)
    cdef Problem p = problem_of(
        INPUT_GRADIENT,
        shapes.conv2d(
            input_shape, weight.shape, stride, padding, dilation, groups, operation),
        cnp.PyArray_ITEMSIZE(dy_))
    shapes.check_shape(operation, "dy", dy.shape, (p.n, p.oh, p.ow, p.oc))
    cdef cnp.npy_intp shape[4]
    shape[0], shape[1], shape[2], shape[3] = p.n, p.h, p.w, p.c
    cdef cnp.ndarray dx = new_array(4, shape, cnp.PyArray_TYPE(dy_))
    p.x, p.weight = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(weight_)
    p.y = cnp.PyArray_BYTES(dy_)
    compute(&p, algorithm, operation)
    return dx


def conv2d_backward_weight(
    dy, x, kernel_size, *, stride=1, padding=0, dilation=1, groups=1, with_bias=True,
    algorithm=None,
):
    """`fastdl.reference.conv2d_backward_weight`; `algorithm` as in the forward pass."""
    cdef str operation = "conv2d_backward_weight"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy", x_)
    shapes.check_images(operation, x.shape)
    if dy_.ndim != 4:
        raise ShapeError(
            f"{operation}: expected dy of shape (n, oh, ow, oc), got {dy.shape}")
    kernel = shapes.pair(kernel_size, f"{operation}: kernel_size")
    groups = shapes.integer(groups, f"{operation}: groups")
    cdef Problem p = problem_of(
        WEIGHT_GRADIENT,
        shapes.conv2d(
            x.shape, (*kernel, x.shape[-1] // groups, dy.shape[-1]), stride, padding,
            dilation, groups, operation),
        cnp.PyArray_ITEMSIZE(x_))
    shapes.check_shape(operation, "dy", dy.shape, (p.n, p.oh, p.ow, p.oc))
    cdef Py_ssize_t weights = p.kh * p.kw * p.group_in * p.oc
    cdef cnp.npy_intp reals = weights + p.oc
    cdef cnp.ndarray result = new_array(1, &reals, cnp.PyArray_TYPE(x_))
    p.x, p.y = cnp.PyArray_BYTES(x_), cnp.PyArray_BYTES(dy_)
    p.weight = cnp.PyArray_BYTES(result)
    p.bias = p.weight + weights * p.size
    p.with_bias = as_flag(with_bias, operation, "with_bias")
    compute(&p, algorithm, operation)
    dweight = result[:weights].reshape(p.kh, p.kw, p.group_in, p.oc)
    return dweight, result[weights:] if p.with_bias else None
