"""The boundary between NumPy and pointers.

Behind it every array is C-contiguous, aligned, of one real type and in native byte
order. The quick test is done here; errors are worded once, in fastdl.shapes.
"""

cimport numpy as cnp

import numpy as np

from fastdl.errors import ArgumentError, DtypeError
from fastdl.kernels.engine.memory cimport new_array
from fastdl import shapes
from fastdl.shapes import check_output, check_real, check_shape

cnp.import_array()


cdef cnp.ndarray as_real(
    object x, str operation, str name, cnp.ndarray like=None,
):
    """Return `x` itself, or a copy laid out as the kernels read it.

    Raises DtypeError unless `x` is float32 or float64, and of the type of `like`.
    """
    cdef cnp.ndarray array
    cdef int typenum
    if isinstance(x, cnp.ndarray):
        array = x
        typenum = cnp.PyArray_TYPE(array)
        if typenum == cnp.NPY_FLOAT or typenum == cnp.NPY_DOUBLE:
            if like is None or typenum == cnp.PyArray_TYPE(like):
                if cnp.PyArray_ISCARRAY_RO(array):
                    return array
                return np.require(array, array.dtype.newbyteorder("="), "CA")
    if like is None:
        check_real(operation, **{name: x})
    else:
        check_real(operation, x=like, **{name: x})
    raise DtypeError(f"{operation}: cannot read {name} of type {type(x).__name__}")


cdef object as_array(object x, str operation, str name):
    """Return `x`, which has any type; DtypeError unless it is an array."""
    if not isinstance(x, cnp.ndarray):
        raise DtypeError(
            f"{operation}: {name} must be a NumPy array, got {type(x).__name__}")
    return x


cdef double as_number(object value, str operation, str name) except? -1:
    """Return a number; ArgumentError unless it is one. NaN is, and spreads."""
    # Of an array with one element some versions of NumPy make a number, and of a text.
    if not isinstance(value, cnp.ndarray) or (
            (<cnp.ndarray> value).ndim == 0 and value.dtype.kind in "biuf"):
        try:
            return value
        except (TypeError, ValueError, OverflowError):
            pass
    raise ArgumentError(f"{operation}: {name} must be a number, got {value!r:.60}")


cdef bint as_flag(object value, str operation, str name) except -1:
    """Return a bool; ArgumentError unless it is one."""
    return value is True or (
        value is not False and shapes.flag(value, f"{operation}: {name}"))


cdef cnp.ndarray as_output(
    object out, int ndim, cnp.npy_intp *shape, int typenum, str operation,
):
    """Return `out` if it can take the result, or a new array when it is None."""
    cdef int i
    if out is None:
        return new_array(ndim, shape, typenum)
    check_output(
        operation, out, tuple(shape[i] for i in range(ndim)),
        cnp.PyArray_DescrFromType(typenum))
    return out


cdef char *in_place(
    object array, str operation, str name, cnp.ndarray like,
) except NULL:
    """Return the data of `array` when it can be updated where it is.

    It has the type of `like`, and its shape, unless that is None.
    """
    cdef cnp.ndarray result = as_real(array, operation, name, like)
    if result is not array or not cnp.PyArray_ISWRITEABLE(result):
        raise ArgumentError(
            f"{operation}: {name} is updated in place and must be writable and "
            "C-contiguous; use np.require(array, requirements='CW')")
    if like is not None:
        check_same_shape(result, like, operation, name)
    return cnp.PyArray_BYTES(result)


cdef int check_same_shape(
    cnp.ndarray array, cnp.ndarray like, str operation, str name,
) except -1:
    """Raise ShapeError unless both have one shape; no tuple is made for the test."""
    if not cnp.PyArray_SAMESHAPE(array, like):
        check_shape(operation, name, (<object> array).shape, (<object> like).shape)
    return 0


cdef bint overlaps(cnp.ndarray a, cnp.ndarray b):
    """Whether two contiguous arrays share memory."""
    cdef char *a_data = cnp.PyArray_BYTES(a)
    cdef char *b_data = cnp.PyArray_BYTES(b)
    return (a_data < b_data + cnp.PyArray_NBYTES(b)
            and b_data < a_data + cnp.PyArray_NBYTES(a))


cdef int check_apart(
    str operation, tuple names, tuple arrays, Py_ssize_t written,
) except -1:
    """Raise ArgumentError when an array that is written shares memory with another.

    The first `written` ones are. All are contiguous, or None.
    """
    cdef Py_ssize_t i, j
    for i in range(written):
        for j in range(i + 1, len(arrays)):
            if arrays[i] is not None and arrays[j] is not None:
                if overlaps(arrays[i], arrays[j]):
                    named = list(zip(names, arrays, strict=True))
                    shapes.check_apart(
                        operation, dict(named[:written]), dict(named[written:]))
    return 0
