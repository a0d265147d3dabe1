"""y = a + b and y = x ** p: spans for csrc/elementwise.c; and copies of views."""

cimport numpy as cnp

import numpy as np

from libc.string cimport memcpy

from fastdl.errors import ArgumentError, DtypeError
from fastdl.kernels.engine.arrays cimport (
    as_array, as_number, as_output, as_real, check_apart, check_same_shape, kernels_of,
)
from fastdl.kernels.engine.memory cimport new_like
from fastdl.kernels.engine.runtime cimport (
    SpanKernel, run_spans, run_tasks, threads_for,
)
from fastdl.kernels.engine.sizes cimport STREAMED, ceil_div
from fastdl.kernels.engine.spans cimport SPAN
from fastdl.kernels.engine.table cimport Power, Sum
from fastdl.reference import elementwise as reference

cnp.import_array()

cdef enum:
    WORK = 8  # elementary operations an element, about
    HALVES = 10  # of an exponent at most: beyond, products lose digits
    MAX_AXES = 64  # of an array of NumPy
    SMALL = 65536  # bytes that NumPy copies as fast
    PIECE = 32768  # bytes that a task copies, about
    SHORT = 64  # bytes in a row: NumPy copies shorter runs as well


def add(a, b, *, out=None):
    """Compiled `fastdl.reference.elementwise.add`.

    `out` may be a or b, but share no memory with them otherwise.
    """
    cdef Sum p
    cdef cnp.ndarray a_ = as_real(a, "add", "a")
    cdef cnp.ndarray b_ = as_real(b, "add", "b", a_)
    cdef SpanKernel kernel = kernels_of(a_).add_elements
    cdef Py_ssize_t n = cnp.PyArray_SIZE(a_)
    cdef cnp.ndarray y
    check_same_shape(b_, a_, "add", "b")
    y = as_output(
        out, cnp.PyArray_NDIM(a_), cnp.PyArray_DIMS(a_), cnp.PyArray_TYPE(a_), "add")
    p.a = cnp.PyArray_DATA(a_)
    p.b = cnp.PyArray_DATA(b_)
    p.y = cnp.PyArray_DATA(y)
    p.streams = out is None and cnp.PyArray_NBYTES(y) >= STREAMED
    if out is not None:
        if p.y != p.a:
            check_apart("add", ("out", "a"), (y, a_), 1)
        if p.y != p.b:
            check_apart("add", ("out", "b"), (y, b_), 1)
    with nogil:
        run_spans(kernel, &p, n, SPAN, WORK * <double> n)
    return y


# Powers ------------------------------------------------------------------------------

cdef bint fits(double exponent) noexcept nogil:
    """Whether products and a square root make this power."""
    return -HALVES <= 2 * exponent <= HALVES and 2 * exponent == <int> (2 * exponent)


cdef cnp.ndarray raised(Power *p, cnp.ndarray x, double exponent):
    """Run the micro-kernel over x; dy and the slope are set."""
    cdef cnp.ndarray y = new_like(x)
    cdef SpanKernel kernel = kernels_of(x).power_elements
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    p.halves = <int> (2 * exponent)
    p.x, p.y = cnp.PyArray_DATA(x), cnp.PyArray_DATA(y)
    p.streams = cnp.PyArray_NBYTES(y) >= STREAMED
    with nogil:
        run_spans(kernel, p, n, SPAN, WORK * <double> n)
    return y


def power(x, exponent):
    """Compiled `fastdl.reference.elementwise.power`."""
    cdef Power p
    cdef double number = as_number(exponent, "power", "exponent")
    cdef cnp.ndarray x_ = as_real(x, "power", "x")
    if not fits(number):
        return reference.power(x_, number)
    p.dy, p.slope = NULL, 1
    return raised(&p, x_, number)


def power_backward(dy, x, exponent):
    """Compiled `fastdl.reference.elementwise.power_backward`."""
    cdef Power p
    cdef double number = as_number(exponent, "power_backward", "exponent")
    cdef cnp.ndarray x_ = as_real(x, "power_backward", "x")
    cdef cnp.ndarray dy_ = as_real(dy, "power_backward", "dy", x_)
    check_same_shape(dy_, x_, "power_backward", "dy")
    if number == 0 or not fits(number - 1):
        return reference.power_backward(dy_, x_, number)
    p.dy, p.slope = cnp.PyArray_DATA(dy_), number
    return raised(&p, x_, number - 1)


# Copies ------------------------------------------------------------------------------

cdef struct CopyArgs:
    int axes  # around a run
    Py_ssize_t[MAX_AXES] size, from_stride, to_stride
    Py_ssize_t run  # bytes that lie in a row in both
    Py_ssize_t pieces, piece  # of a run, or the whole of it, and its bytes
    Py_ssize_t runs, runs_per_task
    const char *source
    char *target


cdef void copy_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    cdef const CopyArgs *p = <const CopyArgs *> arguments
    cdef Py_ssize_t run = index // p.pieces * p.runs_per_task
    cdef Py_ssize_t begin = index % p.pieces * p.piece
    cdef Py_ssize_t bytes = min(p.piece, p.run - begin)
    cdef Py_ssize_t left = min(p.runs_per_task, p.runs - run)
    cdef Py_ssize_t source, target, rest, place, row, _
    cdef int axis
    while left > 0:
        source = target = begin
        rest = run
        for axis in range(p.axes):  # the last one first
            place = rest % p.size[axis]
            rest //= p.size[axis]
            source += place * p.from_stride[axis]
            target += place * p.to_stride[axis]
        row = min(left, p.size[0] - run % p.size[0])  # along the last one
        for _ in range(row):
            memcpy(p.target + target, p.source + source, bytes)
            source += p.from_stride[0]
            target += p.to_stride[0]
        run += row
        left -= row


cdef void merge_axes(CopyArgs *p, cnp.ndarray x, cnp.ndarray out):
    """Find the longest runs that lie in a row in both, and the axes around them."""
    cdef int axis
    cdef int last
    cdef Py_ssize_t size, source, target
    p.run = cnp.PyArray_ITEMSIZE(x)
    p.axes, p.runs = 0, 1
    p.size[0] = 1
    for axis in reversed(range(cnp.PyArray_NDIM(x))):
        size = cnp.PyArray_DIM(x, axis)
        source, target = cnp.PyArray_STRIDE(x, axis), cnp.PyArray_STRIDE(out, axis)
        if size == 1:
            continue
        if p.axes == 0 and source == target == p.run:
            p.run *= size
            continue
        p.runs *= size
        if p.axes:
            last = p.axes - 1
            if (
                source == p.from_stride[last] * p.size[last]
                and target == p.to_stride[last] * p.size[last]
            ):
                p.size[last] *= size
                continue
        p.size[p.axes] = size
        p.from_stride[p.axes], p.to_stride[p.axes] = source, target
        p.axes += 1


def copy(x, out):
    """Compiled `fastdl.reference.elementwise.copy`."""
    cdef CopyArgs p
    cdef Py_ssize_t tasks
    as_array(x, "copy", "x")
    if not cnp.PyArray_ISWRITEABLE(as_array(out, "copy", "out")):
        raise ArgumentError("copy: out is read-only")
    if x.dtype != out.dtype:
        if not np.can_cast(x.dtype, out.dtype, "same_kind"):
            raise DtypeError(f"copy: {x.dtype} does not go into out of {out.dtype}")
        return reference.copy(x, out)
    if (
        out.nbytes < SMALL or x.dtype.hasobject or x.shape != out.shape
        or np.may_share_memory(x, out)
    ):
        return reference.copy(x, out)
    merge_axes(&p, x, out)
    if p.run < SHORT:
        return reference.copy(x, out)
    p.pieces = ceil_div(p.run, PIECE)
    p.piece = min(p.run, <Py_ssize_t> PIECE)
    p.runs_per_task = max(<Py_ssize_t> 1, PIECE // p.run)
    p.source, p.target = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(out)
    tasks = ceil_div(p.runs, p.runs_per_task) * p.pieces
    with nogil:
        run_tasks(
            copy_task, &p, tasks, threads_for(<double> p.runs * p.run), NULL, 0)
    return out
