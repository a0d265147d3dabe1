cimport numpy as cnp

from fastdl.kernels.engine.runtime cimport microkernels
from fastdl.kernels.engine.table cimport MicroKernels

ctypedef fused real:
    float
    double

cdef cnp.ndarray as_real(object x, str operation, str name, cnp.ndarray like=*)
cdef object as_array(object x, str operation, str name)
cdef bint as_flag(object value, str operation, str name) except -1
cdef double as_number(object value, str operation, str name) except? -1
cdef cnp.ndarray as_output(
    object out, int ndim, cnp.npy_intp *shape, int typenum, str operation)
cdef char *in_place(
    object array, str operation, str name, cnp.ndarray like) except NULL
cdef int check_same_shape(
    cnp.ndarray array, cnp.ndarray like, str operation, str name) except -1
cdef bint overlaps(cnp.ndarray a, cnp.ndarray b)
cdef int check_apart(
    str operation, tuple names, tuple arrays, Py_ssize_t written) except -1


cdef inline const MicroKernels *kernels_of(cnp.ndarray x):
    """Return the micro-kernels for the type of `x`."""
    return microkernels(<int> cnp.PyArray_ITEMSIZE(x))
